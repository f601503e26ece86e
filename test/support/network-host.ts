import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as containers from '../../src/machine/docker/containers.ts'
import * as networks from '../../src/machine/docker/networks.ts'
import { inNamespace } from '../../src/machine/net/namespaces.ts'
import { createLocalBus } from '../../src/platform/bus/local.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { newLogger } from '../../src/platform/log.ts'
import { type NetworkHost, type NetworkHostDeps, startNetworkHost } from '../../src/services/network/host/agent.ts'
import { dockerNetworkOf, nicOption, portOption, twinOption } from '../../src/services/network/host/names.ts'
import { removeEverything } from '../../src/services/network/host/remove.ts'
import {
  type NetworkOrder,
  type NetworkReport,
  type PortOrder,
  type RouterOrder,
  type SecurityGroupOrder,
  type SecurityRule,
  type SubnetFacts,
  subjects,
} from '../../src/services/network/messages.ts'
import type { TestEngine } from './engine.ts'

const run = promisify(execFile)
const host = 'node1'
const soon = () => AbortSignal.timeout(20_000)

export interface Server {
  readonly id: string
  readonly pid: number
  /** Runs a tool of the machine in the server's network. Answers whether it succeeded, and what it wrote. */
  run(argv: readonly string[]): Promise<{ ok: boolean; output: string }>
  /** One ping, half a second of patience. */
  reaches(address: string): Promise<boolean>
}

export type TestNetworkHost = Awaited<ReturnType<typeof startTestNetworkHost>>

/** A network host with a hand on its bus: the test plays control. All it made is gone after `t`. */
export async function startTestNetworkHost(
  t: { after(f: () => Promise<void>): void },
  { engine, busybox }: TestEngine,
  options: Partial<NetworkHostDeps> = {},
) {
  const log = newLogger(process.env.BERTH_TEST_LOG ?? 'error')
  const bus = createLocalBus(log)
  const stateDir = await mkdtemp(join(tmpdir(), 'berth-network-'))
  const cloudId = randomUUID()
  const deps = { host, cloudId, stateDir, bus, engine, log, clock: systemClock, publicNat: true, ...options }
  const reports: NetworkReport[] = []
  const heard: (() => void)[] = []
  bus.subscribe<NetworkReport>(subjects.report, (report) => {
    reports.push(report)
    for (const look of heard.splice(0)) look()
  })
  let agent: NetworkHost = startNetworkHost(deps)
  let generation = 0
  t.after(async () => {
    await agent.stop()
    await removeEverything(cloudId, { stateDir, log }) // the engine's own end came first, while we answered it
    await bus.close()
    await rm(stateDir, { recursive: true, force: true })
  })
  await agent.ready

  /** Sends an order and waits for its report. */
  async function order(
    kind: NetworkReport['kind'],
    id: string,
    message: Record<string, unknown>,
  ): Promise<NetworkReport> {
    generation++
    const mine = generation
    bus.publish(subjects[kind](host), { ...message, generation: mine })
    return reported((r) => r.kind === kind && r.id === id && r.generation === mine)
  }
  async function reported(wanted: (report: NetworkReport) => boolean): Promise<NetworkReport> {
    const deadline = Date.now() + 20_000
    for (;;) {
      const found = reports.findLast(wanted)
      if (found) return found
      if (Date.now() > deadline) throw new Error(`no such report; the last: ${JSON.stringify(reports.slice(-3))}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000)
        heard.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  return {
    ...deps,
    reports,
    reported,
    async restart() {
      await agent.stop()
      agent = startNetworkHost(deps)
      await agent.ready
    },
    plug: () => agent.plug,
    stop: () => agent.stop(),
    network: (wanted: Partial<NetworkOrder> & { subnets: readonly SubnetFacts[] }) => {
      const networkId = wanted.networkId ?? randomUUID()
      const rest = { wish: 'present', projectId: 'p', mtu: 1450, vni: 0, peers: [], external: false }
      return order('network', networkId, { ...rest, ...wanted, networkId }).then((report) => ({ networkId, report }))
    },
    port: (wanted: Partial<PortOrder> & { networkId: string }) => {
      const portId = wanted.portId ?? randomUUID()
      const rest = {
        wish: 'bound',
        adminStateUp: true,
        macAddress: macOf(portId),
        mtu: 1450,
        fixedIps: [],
        portSecurity: true,
        securityGroupIds: [],
        allowedAddressPairs: [],
        defaultRoute: true,
      }
      return order('port', portId, { ...rest, ...wanted, portId }).then((report) => ({ portId, report }))
    },
    router: (wanted: Partial<RouterOrder>) => {
      const routerId = wanted.routerId ?? randomUUID()
      const rest = { wish: 'present', adminStateUp: true, interfaces: [], gateway: null, floatingIps: [], routes: [] }
      return order('router', routerId, { ...rest, ...wanted, routerId }).then((report) => ({ routerId, report }))
    },
    group: (wanted: Partial<SecurityGroupOrder>) => {
      const groupId = wanted.groupId ?? randomUUID()
      const rest = { wish: 'present', stateful: true, rules: [], members: [] }
      return order('group', groupId, { ...rest, ...wanted, groupId }).then((report) => ({ groupId, report }))
    },

    /** Creates and starts a container with a NIC for each port. */
    async server(nics: readonly { portId: string; networkId: string }[], restart = 'no'): Promise<Server> {
      const networkIds = nics.map((nic) => nic.networkId)
      const names = networkIds.map(dockerNetworkOf)
      await agent.plug.ready(
        nics.map((nic) => nic.portId),
        names,
        soon(),
      )
      // As the compute driver says it: see `dockerNetworks` there.
      const endpoint = (i: number) => {
        const twin = networkIds.indexOf(networkIds[i]!) < i ? { [twinOption]: 'true' } : {}
        const nic = i > 0 ? { [nicOption]: String(i) } : {}
        return { DriverOpts: { [portOption]: nics[i]!.portId, ...twin, ...nic } }
      }
      const id = await containers.create(
        engine,
        `test-${randomUUID()}`,
        {
          Image: busybox,
          Cmd: ['sh', '-c', 'trap exit TERM; sleep 1000 & wait'], // ends when asked to
          Labels: { 'io.berth.cloud': cloudId },
          HostConfig: { NetworkMode: names[0] ?? 'none', RestartPolicy: { Name: restart } },
          ...(names[0] ? { NetworkingConfig: { EndpointsConfig: { [names[0]]: endpoint(0) } } } : {}),
        },
        soon(),
      )
      for (let i = 1; i < names.length; i++) await networks.connect(engine, names[i]!, id, endpoint(i), soon())
      await containers.start(engine, id, soon())
      return serverOf(id)
    },
    serverOf,
  }

  async function serverOf(id: string): Promise<Server> {
    const { State } = await containers.inspect(engine, id, soon())
    const namespace = `/proc/${State.Pid}/ns/net`
    const runIn = async (argv: readonly string[]) => {
      const [command = '', ...args] = inNamespace(namespace, argv)
      const { stdout, stderr, ok } = await run(command, args, { timeout: 10_000 }).then(
        (done) => ({ ...done, ok: true }),
        (failed: { stdout: string; stderr: string }) => ({ ...failed, ok: false }),
      )
      return { ok, output: `${stdout}${stderr}` }
    }
    return {
      id,
      pid: State.Pid,
      run: runIn,
      async reaches(address) {
        const ping = ['busybox', 'ping', address.includes(':') ? '-6' : '-4', '-c', '1', '-W', '1', address]
        return (await runIn(ping)).ok
      },
    }
  }
}

/** A long-lived TCP or UDP conversation between two servers, to see whether it still goes on. */
export async function converse(
  t: { after(f: () => void): void },
  from: Server,
  to: Server,
  address: string,
  port: number,
) {
  const listen = spawn('nsenter', [`--net=/proc/${to.pid}/ns/net`, 'busybox', 'nc', '-l', '-p', `${port}`, '-e', 'cat'])
  await listening(to, port)
  const talk = spawn('nsenter', [`--net=/proc/${from.pid}/ns/net`, 'busybox', 'nc', address, `${port}`])
  t.after(() => {
    talk.kill('SIGKILL')
    listen.kill('SIGKILL')
  })
  let heard = ''
  talk.stdout.setEncoding('utf8').on('data', (text: string) => {
    heard += text
  })
  return {
    /** Whether a word comes back within the time. */
    async echo(word: string, ms: number): Promise<boolean> {
      talk.stdin.write(`${word}\n`)
      const deadline = performance.now() + ms
      while (performance.now() < deadline) {
        if (heard.includes(word)) return true
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      return false
    },
  }
}

async function listening(server: Server, port: number): Promise<void> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  for (let tries = 0; tries < 200; tries++) {
    const { output } = await server.run(['cat', '/proc/net/tcp', '/proc/net/tcp6'])
    if (new RegExp(`:${hex} \\S+ 0A `).test(output)) return
  }
  throw new Error(`nobody listens on ${port}`)
}

export const macOf = (id: string): string => `fa:16:3e:${id.slice(0, 2)}:${id.slice(2, 4)}:${id.slice(4, 6)}`

export const subnet = (cidr: string, gatewayIp: string | null = null): SubnetFacts => ({
  subnetId: randomUUID(),
  ipVersion: cidr.includes(':') ? 6 : 4,
  cidr,
  gatewayIp,
  dnsNameservers: [],
  hostRoutes: [],
})

export const rule = (wanted: Partial<SecurityRule>): SecurityRule => ({
  ruleId: randomUUID(),
  direction: 'ingress',
  ethertype: 'IPv4',
  protocol: null,
  portRangeMin: null,
  portRangeMax: null,
  remoteIpPrefix: null,
  remoteGroupId: null,
  ...wanted,
})

/** As every project's default group: all out, in from the group itself. */
export const defaultRules = (groupId: string): SecurityRule[] =>
  (['IPv4', 'IPv6'] as const).flatMap((ethertype) => [
    rule({ direction: 'egress', ethertype }),
    rule({ direction: 'ingress', ethertype, remoteGroupId: groupId }),
  ])

/** Asks again until it is so; what takes more than ten seconds has failed. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await holds())) if (performance.now() > deadline) throw new Error('it does not come about')
}
