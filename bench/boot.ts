import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Pool } from 'undici'
import { parse } from 'yaml'
import { enginePaths } from '../src/cli/own-engine.ts'

/**
 * Boots servers on a running cloud, turn about with the raw Engine creating and starting a container of the same image
 * with the same limits: once on a bridge network of Docker's own (what a server's NIC compares to), once with none.
 * Each round takes all three, in changing order, so that a noisy machine hurts them alike. Prints medians and ratios.
 */
const { values } = parseArgs({
  options: {
    'state-dir': { type: 'string', default: '/var/lib/berth' },
    rounds: { type: 'string', default: '20' },
    network: { type: 'string', default: 'private' },
    image: { type: 'string', default: 'busybox' },
    json: { type: 'boolean', default: false },
  },
})
const stateDir = values['state-dir']
const rounds = Number(values.rounds)

interface Clouds {
  clouds: Record<string, { auth: Record<string, string> }>
}
const { auth } = (parse(readFileSync(join(stateDir, 'clouds.yaml'), 'utf8')) as Clouds).clouds.berth ?? {
  auth: {},
}

const login = await fetch(`${auth.auth_url}/auth/tokens`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    auth: {
      identity: {
        methods: ['password'],
        password: { user: { name: auth.username, password: auth.password, domain: { id: 'default' } } },
      },
      scope: { project: { name: auth.project_name, domain: { id: 'default' } } },
    },
  }),
})
if (login.status !== 201) throw new Error(`log-in: ${login.status} ${await login.text()}`)
const token = login.headers.get('x-subject-token') ?? ''
const { token: body } = (await login.json()) as {
  token: { catalog: { type: string; endpoints: { interface: string; url: string }[] }[] }
}
const endpoint = (type: string): string =>
  body.catalog.find((s) => s.type === type)?.endpoints.find((e) => e.interface === 'public')?.url ?? ''

async function api<T>(method: string, url: string, payload?: object): Promise<{ status: number; body: T }> {
  const reply = await fetch(url, {
    method,
    headers: { 'x-auth-token': token, ...(payload ? { 'content-type': 'application/json' } : {}) },
    ...(payload ? { body: JSON.stringify(payload) } : {}),
  })
  const text = await reply.text()
  return { status: reply.status, body: (text ? JSON.parse(text) : null) as T }
}

const compute = endpoint('compute')
const { body: images } = await api<{ images: { id: string; name: string }[] }>('GET', `${endpoint('image')}/v2/images`)
const { body: networks } = await api<{ networks: { id: string; name: string }[] }>(
  'GET',
  `${endpoint('network')}/v2.0/networks?name=${values.network}`,
)
const { body: flavors } = await api<{ flavors: { id: string; name: string }[] }>('GET', `${compute}/flavors`)
const imageId = images.images.find((i) => i.name === values.image)?.id
const networkId = networks.networks[0]?.id
const flavorId = flavors.flavors.find((f) => f.name === 'm1.tiny')?.id
if (!imageId || !networkId || !flavorId)
  throw new Error(`no ${values.image}, ${values.network} or m1.tiny in this cloud`)

type Shown = { server: { id: string; status: string; fault?: { message: string } } }

async function boot(): Promise<number> {
  const start = performance.now()
  const server = { name: 'bench', imageRef: imageId, flavorRef: flavorId, networks: [{ uuid: networkId }] }
  const made = await api<Shown>('POST', `${compute}/servers`, { server })
  if (made.status !== 202) throw new Error(JSON.stringify(made.body))
  const url = `${compute}/servers/${made.body.server.id}`
  for (;;) {
    const { body: shown } = await api<Shown>('GET', url)
    if (shown.server.status === 'ACTIVE') break
    if (shown.server.status === 'ERROR') throw new Error(shown.server.fault?.message)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const ms = performance.now() - start
  await api('DELETE', url)
  while ((await api('GET', url)).status !== 404) await new Promise((resolve) => setTimeout(resolve, 20))
  return ms
}

const cloudId = readFileSync(join(stateDir, 'cloud-id'), 'utf8').trim()
const engine = new Pool('http://docker', { socketPath: enginePaths(stateDir, cloudId).socket })
async function docker<T>(method: 'GET' | 'POST' | 'DELETE', path: string, payload?: object): Promise<T> {
  const { statusCode, body: reply } = await engine.request({
    method,
    path,
    ...(payload ? { body: JSON.stringify(payload), headers: { 'content-type': 'application/json' } } : {}),
  })
  const text = await reply.text()
  if (statusCode >= 300) throw new Error(`${method} ${path}: ${statusCode} ${text}`)
  return (text ? JSON.parse(text) : null) as T
}

const bridge = 'berth-bench'
// The very image the servers ran from, by its id on the engine.
await boot()
const onEngine = await docker<{ Id: string; RepoDigests: string[] | null }[]>('GET', '/images/json')
const image = onEngine.find((i) => i.RepoDigests?.some((d) => d.includes(imageId)))?.Id
if (!image) throw new Error('the image is not on the engine')

async function raw(network: string): Promise<number> {
  const start = performance.now()
  const { Id } = await docker<{ Id: string }>('POST', '/containers/create', {
    Image: image,
    Tty: true,
    OpenStdin: true,
    HostConfig: {
      NetworkMode: network,
      NanoCpus: 1e9,
      Memory: 512 << 20,
      MemorySwap: 512 << 20,
      PidsLimit: 4096,
      SecurityOpt: ['no-new-privileges'],
    },
  })
  await docker('POST', `/containers/${Id}/start`)
  const ms = performance.now() - start
  await docker('DELETE', `/containers/${Id}?force=1&v=1`)
  return ms
}

const samples: Record<string, number[]> = { server: [], bridge: [], none: [] }
const kinds: [string, () => Promise<number>][] = [
  ['server', boot],
  ['bridge', () => raw(bridge)],
  ['none', () => raw('none')],
]
await docker('POST', '/networks/create', { Name: bridge, Driver: 'bridge', Internal: true })
try {
  for (const [, run] of kinds) await run() // warm
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < kinds.length; i++) {
      const [kind, run] = kinds[(i + round) % kinds.length]!
      samples[kind]!.push(await run())
    }
  }
} finally {
  await docker('DELETE', `/networks/${bridge}`)
  await engine.close()
}

const quantile = (values: number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))]!
const result = Object.fromEntries(
  Object.entries(samples).map(([kind, ms]) => [
    kind,
    { medianMs: Math.round(quantile(ms, 0.5)), p95Ms: Math.round(quantile(ms, 0.95)), n: ms.length },
  ]),
)
const ratio = (kind: string): number =>
  Math.round((quantile(samples.server!, 0.5) / quantile(samples[kind]!, 0.5)) * 100) / 100
if (values.json) console.log(JSON.stringify({ ...result, ratioToBridge: ratio('bridge'), ratioToNone: ratio('none') }))
else {
  console.table(result)
  console.log(
    `server / raw Engine on a bridge: ${ratio('bridge')}    server / raw Engine without a network: ${ratio('none')}`,
  )
}
