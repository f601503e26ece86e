import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Pool } from 'undici'
import { parse } from 'yaml'

/**
 * Sustained launches a second: `berth simulate` in a process of its own, and here clients that create servers. A launch
 * counts when its server is ACTIVE: HTTP API, scheduler, claims, order, host's report and all their commits are in it.
 * The hosts are simulated, in the same process as the control plane, so their work is in the figure too.
 */
const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '1000' },
    launches: { type: 'string', default: '20000' },
    concurrency: { type: 'string', default: '64' },
    network: { type: 'boolean', default: false },
    database: { type: 'string', default: 'sqlite' },
    'port-base': { type: 'string', default: '20000' },
    'cpu-prof': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const [launches, concurrency] = [Number(values.launches), Number(values.concurrency)]
const stateDir = mkdtempSync(join(tmpdir(), 'berth-launch-'))
const main = new URL('../src/main.ts', import.meta.url).pathname
const profile = values['cpu-prof'] ? ['--cpu-prof', `--cpu-prof-dir=${values['cpu-prof']}`] : []
const place = ['--state-dir', stateDir, '--port-base', values['port-base']]
const cloud = spawn(process.execPath, [...profile, main, 'simulate', '--hosts', values.hosts, ...place], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: {
    ...process.env,
    BERTH_DATABASE: values.database,
    BERTH_QUOTAS_INSTANCES: '-1',
    BERTH_QUOTAS_CORES: '-1',
    BERTH_QUOTAS_RAM_MIB: '-1',
    BERTH_CPU_ALLOCATION_RATIO: '1000',
    BERTH_RAM_ALLOCATION_RATIO: '1000',
    BERTH_DISK_ALLOCATION_RATIO: '1000',
  },
})
try {
  await ready()
  const result = await measure()
  if (values.json) console.log(JSON.stringify(result))
  else console.table(result)
} finally {
  const ended = new Promise((resolve) => cloud.once('exit', resolve))
  cloud.kill('SIGTERM')
  await ended
  rmSync(stateDir, { recursive: true, force: true })
}

async function ready(): Promise<void> {
  for await (const chunk of cloud.stdout!) if (String(chunk).includes('SIMULATED')) return
  throw new Error(
    `the cloud ended: ${existsSync(`${stateDir}/berth.log`) ? readFileSync(`${stateDir}/berth.log`) : ''}`,
  )
}

async function measure() {
  const { token, endpoint } = await logIn()
  const headers = { 'x-auth-token': token, 'content-type': 'application/json', 'openstack-api-version': 'compute 2.93' }
  const compute = new URL(endpoint('compute'))
  const pool = new Pool(compute.origin, { connections: concurrency })
  const api = async <T>(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: object,
    origin?: string,
  ): Promise<T> => {
    const to = origin ? new Pool(origin) : pool
    const reply = await to.request({ method, path, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
    const text = await reply.body.text()
    if (reply.statusCode >= 300) throw new Error(`${method} ${path}: ${reply.statusCode} ${text}`)
    if (origin) await to.close()
    return (text ? JSON.parse(text) : null) as T
  }
  const { images } = await api<{ images: { id: string }[] }>('GET', '/v2/images', undefined, endpoint('image'))
  const networks: 'none' | { uuid: string }[] = values.network
    ? [{ uuid: await bigNetwork(api, endpoint('network')) }]
    : 'none'
  const server = { name: 'launch', imageRef: images[0]!.id, flavorRef: '1', networks }
  const path = `${compute.pathname}/servers`
  const launch = () => api('POST', path, { server })
  const settled = async () => {
    for (;;) {
      const { servers } = await api<{ servers: object[] }>('GET', `${path}?status=BUILD&limit=1`)
      if (servers.length === 0) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const many = async (count: number) => {
    let left = count
    const client = async () => {
      while (left-- > 0) await launch()
    }
    await Promise.all(Array.from({ length: concurrency }, client))
  }
  await withoutExternal(api, endpoint('network'))
  await many(500) // warm
  await settled()
  await quiet()
  const cpuBefore = cpuMs()
  const start = performance.now()
  await many(launches)
  const accepted = performance.now() - start
  await settled()
  const active = performance.now() - start
  const cpuAfter = cpuMs()
  const errors = await api<{ servers: object[] }>('GET', `${path}?status=ERROR&limit=1`)
  await pool.close()
  return {
    ...{ hosts: Number(values.hosts), database: values.database.split(':')[0], network: values.network },
    ...{ launches, concurrency, errors: errors.servers.length },
    acceptedPerSecond: Math.round((launches / accepted) * 1000),
    activePerSecond: Math.round((launches / active) * 1000),
    // What does not change when others use the machine too: the control plane's own work.
    cpuMsPerLaunch: Math.round(((cpuAfter - cpuBefore) / launches) * 1000) / 1000,
  }
}

/** An external network is on every network host, and so has a thousand DHCP ports here, which nobody wants. */
async function withoutExternal(
  api: <T>(method: 'GET' | 'PUT' | 'DELETE', path: string, body: object | undefined, origin: string) => Promise<T>,
  origin: string,
): Promise<void> {
  const { routers } = await api<{ routers: { id: string }[] }>('GET', '/v2.0/routers', undefined, origin)
  const router = { external_gateway_info: null }
  for (const { id } of routers) await api('PUT', `/v2.0/routers/${id}`, { router }, origin)
  const path = '/v2.0/networks?router:external=true'
  const { networks } = await api<{ networks: { id: string }[] }>('GET', path, undefined, origin)
  for (const { id } of networks) await api('DELETE', `/v2.0/networks/${id}`, undefined, origin)
}

/** What a thousand hosts make to do by coming up is no part of a launch. */
async function quiet(): Promise<void> {
  for (;;) {
    const before = cpuMs()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    if (cpuMs() - before < 300) return
  }
}

/** Of the cloud's process, all its threads. */
function cpuMs(): number {
  const fields = readFileSync(`/proc/${cloud.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

async function bigNetwork(
  api: <T>(method: 'POST', path: string, body: object, origin: string) => Promise<T>,
  origin: string,
): Promise<string> {
  const { network } = await api<{ network: { id: string } }>(
    'POST',
    '/v2.0/networks',
    { network: { name: 'big' } },
    origin,
  )
  const subnet = { network_id: network.id, ip_version: 4, cidr: '10.64.0.0/12' }
  await api('POST', '/v2.0/subnets', { subnet }, origin)
  return network.id
}

async function logIn() {
  const file = parse(readFileSync(join(stateDir, 'clouds.yaml'), 'utf8')) as {
    clouds: Record<string, { auth: Record<string, string> }>
  }
  const { auth } = file.clouds.berth!
  const reply = await fetch(`${auth.auth_url}/auth/tokens`, {
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
  const { token } = (await reply.json()) as {
    token: { catalog: { type: string; endpoints: { interface: string; url: string }[] }[] }
  }
  const endpoint = (type: string): string =>
    token.catalog.find((s) => s.type === type)?.endpoints.find((e) => e.interface === 'public')?.url ?? ''
  return { token: reply.headers.get('x-subject-token') ?? '', endpoint }
}
