import { parseArgs } from 'node:util'
import { type Api, logIn, startSimulated } from './cloud.ts'

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
const cloud = await startSimulated({
  ...{ hosts: values.hosts, portBase: values['port-base'], database: values.database, profile: values['cpu-prof'] },
})
try {
  const result = await measure()
  if (values.json) console.log(JSON.stringify(result))
  else console.table(result)
} finally {
  await cloud.stop()
}

async function measure() {
  const { api, endpoint, projectId, close } = await logIn(cloud.stateDir, concurrency)
  const { images } = await api<{ images: { id: string }[] }>('GET', `${endpoint('image')}/v2/images`)
  const networkUrl = `${endpoint('network')}/v2.0`
  const networks: 'none' | { uuid: string }[] = values.network
    ? [{ uuid: await bigNetwork(api, networkUrl, projectId) }]
    : 'none'
  const server = { name: 'launch', imageRef: images[0]!.id, flavorRef: '1', networks }
  const url = `${endpoint('compute')}/servers`
  const settled = async () => {
    for (;;) {
      const { servers } = await api<{ servers: object[] }>('GET', `${url}?status=BUILD&limit=1`)
      if (servers.length === 0) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const many = async (count: number) => {
    let left = count
    const client = async () => {
      while (left-- > 0) await api('POST', url, { server })
    }
    await Promise.all(Array.from({ length: concurrency }, client))
  }
  await withoutExternal(api, networkUrl)
  await many(Math.min(500, launches)) // warm
  await settled()
  await quiet()
  const cpuBefore = cloud.cpuMs()
  const start = performance.now()
  await many(launches)
  const accepted = performance.now() - start
  await settled()
  const active = performance.now() - start
  const cpuAfter = cloud.cpuMs()
  const errors = await api<{ servers: object[] }>('GET', `${url}?status=ERROR&limit=1`)
  await close()
  return {
    ...{ hosts: Number(values.hosts), database: values.database.split(':')[0], network: values.network },
    ...{ launches, concurrency, errors: errors.servers.length },
    acceptedPerSecond: Math.round((launches / accepted) * 1000),
    activePerSecond: Math.round((launches / active) * 1000),
    // What changes less when others use the machine too: the control plane's own work.
    cpuMsPerLaunch: Math.round(((cpuAfter - cpuBefore) / launches) * 1000) / 1000,
  }
}

/** An external network is on every network host, and so has a thousand DHCP ports here, which nobody wants. */
async function withoutExternal(api: Api, url: string): Promise<void> {
  const { routers } = await api<{ routers: { id: string }[] }>('GET', `${url}/routers`)
  const router = { external_gateway_info: null }
  for (const { id } of routers) await api('PUT', `${url}/routers/${id}`, { router })
  const { networks } = await api<{ networks: { id: string }[] }>('GET', `${url}/networks?router:external=true`)
  for (const { id } of networks) await api('DELETE', `${url}/networks/${id}`)
}

/** What a thousand hosts make to do by coming up is no part of a launch. */
async function quiet(): Promise<void> {
  for (;;) {
    const before = cloud.cpuMs()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    if (cloud.cpuMs() - before < 300) return
  }
}

async function bigNetwork(api: Api, url: string, projectId: string): Promise<string> {
  await api('PUT', `${url}/quotas/${projectId}`, { quota: { port: -1 } })
  const { network } = await api<{ network: { id: string } }>('POST', `${url}/networks`, { network: { name: 'big' } })
  const subnet = { network_id: network.id, ip_version: 4, cidr: '10.64.0.0/12' }
  await api('POST', `${url}/subnets`, { subnet })
  return network.id
}
