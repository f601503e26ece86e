import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { mustRun } from '../../src/machine/net/command.ts'
import { ipBatch, ipBatchForced } from '../../src/machine/net/links.ts'
import { createNamespace, deleteNamespace, inNamespace, writeSysctls } from '../../src/machine/net/namespaces.ts'
import { newLogger } from '../../src/platform/log.ts'
import { carryNetwork } from '../../src/services/network/host/carried.ts'
import { bridge, namespaceOf } from '../../src/services/network/host/names.ts'
import type { Orders } from '../../src/services/network/host/orders.ts'
import type { PortOrder, SecurityGroupOrder } from '../../src/services/network/messages.ts'

export interface Probe {
  protocol: 'tcp' | 'udp' | 'icmp'
  address: string
  port: number
  /** How long an answer may take. */
  patienceMs: number
}

/** A machine on the network, or beyond it. */
export interface Machine {
  readonly namespace: string
  try(probe: Probe): Promise<boolean>
  run(argv: readonly string[]): Promise<string>
}

type Ending = { after(f: () => Promise<void>): void }

/**
 * A network in the kernel as a host carries it, without an engine: machines are network namespaces that hold the far
 * end of a port's cable. The test gives the orders. All of it is gone after `t`.
 */
export async function startPacketNet(t: Ending, answeringOn: readonly number[]) {
  const [networkId, cloudId] = [randomUUID(), randomUUID()]
  const log = newLogger('error')
  const orders: Orders = {
    networks: new Map(),
    ports: new Map(),
    groups: new Map(),
    routers: new Map(),
    endpoints: new Map(),
  }
  const plain = { projectId: 'p', mtu: 1450, vni: 0, peers: [], external: false, subnets: [] }
  const network = carryNetwork(
    networkId,
    { cloudId, log, metadata: null, tunnel: { localIp: '127.0.0.1', port: 4789 } },
    orders,
  )
  const say = (wish: 'present' | 'absent') =>
    orders.networks.set(networkId, { networkId, generation: 1, wish, ...plain })
  const namespaces: string[] = []
  const endings: (() => void)[] = []
  t.after(async () => {
    for (const end of endings) end()
    for (const name of namespaces) await deleteNamespace(name)
    orders.ports.clear()
    say('absent')
    await network.settle()
  })
  say('present')

  async function machine(link: string, addresses: readonly string[], more: readonly string[]): Promise<Machine> {
    const namespace = `probe-${randomUUID().slice(0, 8)}`
    namespaces.push(namespace)
    await createNamespace(namespace)
    await writeSysctls(namespace, { 'net/ipv6/conf/default/accept_dad': 0, 'net/ipv6/conf/default/accept_ra': 0 })
    await ipBatch(null, [`link set ${link} netns ${namespace} name eth0`])
    await ipBatch(namespace, [
      'link set lo up',
      ...addresses.map((one) => `address add ${one} dev eth0${one.includes(':') ? ' nodad' : ''}`),
      'link set eth0 up',
      ...more,
    ])
    return await agent(namespace)
  }

  async function agent(namespace: string): Promise<Machine> {
    const script = new URL('./probe-agent.ts', import.meta.url).pathname
    const [command = '', ...args] = inNamespace(namespace, [process.execPath, script, ...answeringOn.map(String)])
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    endings.push(() => child.kill('SIGKILL'))
    const waiting = new Map<number, (ok: boolean) => void>()
    let last = 0
    const answer = (id: number) => new Promise<boolean>((resolve) => waiting.set(id, resolve))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { id, ok } = JSON.parse(line) as { id: number; ok: boolean }
      waiting.get(id)?.(ok)
      waiting.delete(id)
    })
    await answer(0)
    return {
      namespace,
      try(probe) {
        const id = ++last
        child.stdin.write(`${JSON.stringify({ id, ...probe })}\n`)
        return answer(id)
      },
      run: (argv) => mustRun(inNamespace(namespace, argv)),
    }
  }

  const portOf = (wanted: Partial<PortOrder> & { portId: string }): PortOrder => ({
    ...{ generation: 1, networkId, wish: 'bound', adminStateUp: true, mtu: 1450 },
    macAddress: `fa:16:3e:${wanted.portId.slice(0, 2)}:${wanted.portId.slice(2, 4)}:${wanted.portId.slice(4, 6)}`,
    ...{ fixedIps: [], portSecurity: true, securityGroupIds: [], allowedAddressPairs: [], defaultRoute: false },
    ...wanted,
  })

  return {
    networkId,
    namespace: namespaceOf(networkId),
    /** A machine with a port of the network. `more` are further `ip` commands inside it. */
    async attach(wanted: Partial<PortOrder>, addresses: readonly string[], more: readonly string[] = []) {
      const fixedIps = addresses.map((one) => ({ subnetId: '', ipAddress: one.split('/')[0]! }))
      const port = portOf({ portId: randomUUID(), fixedIps, ...wanted })
      orders.ports.set(port.portId, port)
      await network.settle()
      return { port, machine: await machine(await network.cableFor(port), addresses, more) }
    },
    /** A machine that is on the bridge as a router is: no port of a server, and not filtered. */
    async outside(addresses: readonly string[], more: readonly string[] = []) {
      await network.settle()
      const [near, far] = ['rp-outside', `x-${randomUUID().slice(0, 8)}`]
      await ipBatchForced(namespaceOf(networkId), [`link delete ${near}`])
      await ipBatch(namespaceOf(networkId), [
        `link add ${near} mtu 1450 up master ${bridge} type veth peer name ${far} mtu 1450 netns ${process.pid}`,
      ])
      return await machine(far, addresses, more)
    },
    /** The port is wanted otherwise from now on; `settle` does it. */
    change: (port: PortOrder, changes: Partial<PortOrder>) =>
      void orders.ports.set(port.portId, { ...orders.ports.get(port.portId)!, ...changes }),
    group: (wanted: Partial<SecurityGroupOrder> & { groupId: string }) =>
      void orders.groups.set(wanted.groupId, {
        ...{ generation: 1, wish: 'present', stateful: true, rules: [], members: [] },
        ...wanted,
      }),
    async settle() {
      const failed = await network.settle()
      if (failed.size > 0) throw new Error([...failed.values()].join('; '))
    },
  }
}
