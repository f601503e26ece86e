import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { startEngine } from '../../../../test/support/engine.ts'
import { rule, startTestNetworkHost, subnet, until } from '../../../../test/support/network-host.ts'
import { mustRun, runTool } from '../../../machine/net/command.ts'
import { inNamespace, listNamespaces } from '../../../machine/net/namespaces.ts'
import { type MeterReadings, type RouterOrder, subjects } from '../messages.ts'
import { gatewayLinkOf, routerNamespaceOf } from './names.ts'
import { removeEverything } from './remove.ts'

const machine = '198.18.222.1'

test('routers', async (t) => {
  const engine = await startEngine(t)
  const cloud = await startTestNetworkHost(t, engine, { publicNat: false, graceMs: 0, inventoryEveryMs: 60_000 })
  const groupId = randomUUID()
  await cloud.group({ groupId, rules: [rule({ direction: 'egress' }), rule({})] })
  const range = subnet('198.18.222.0/24', machine)
  const outside = await cloud.network({ external: true, subnets: [range] })
  assert.equal(outside.report.state, 'present', outside.report.message ?? '')

  const made: string[] = []

  async function tenant(cidr: string, gateway: string) {
    const inside = subnet(cidr, gateway)
    const { networkId } = await cloud.network({ subnets: [inside] })
    return {
      networkId,
      end: { ...link(networkId), addresses: [`${gateway}/${cidr.split('/')[1]}`] },
      async server(ipAddress: string) {
        const fixedIps = [{ subnetId: inside.subnetId, ipAddress }]
        const { portId } = await cloud.port({ networkId, fixedIps, securityGroupIds: [groupId] })
        const server = await cloud.server([{ portId, networkId }])
        made.push(server.id)
        return server
      },
    }
  }
  const gateway = (address: string) => ({
    ...link(outside.networkId),
    addresses: [`${address}/24`],
    nextHops: [machine],
    snat: true,
  })
  const one = await tenant('10.0.0.0/24', '10.0.0.1')
  const two = await tenant('10.0.1.0/24', '10.0.1.1')
  const [a, b, c] = [await one.server('10.0.0.5'), await one.server('10.0.0.6'), await two.server('10.0.1.5')]
  const wish: Partial<RouterOrder> & { routerId: string } = {
    routerId: randomUUID(),
    interfaces: [one.end, two.end],
    gateway: gateway('198.18.222.10'),
  }
  const tell = async (changes: Partial<RouterOrder> = {}) => {
    const { report } = await cloud.router(Object.assign(wish, changes))
    assert.equal(report.state, wish.wish ?? 'present', report.message ?? '')
  }
  await tell()

  await t.test('between subnets, and out to the machine as the router', async () => {
    await until(() => a.reaches('10.0.1.5'))
    assert.equal(await c.reaches('10.0.0.6'), true)
    assert.equal(await a.reaches(machine), true)
    assert.equal(await seenFrom(a, machine), '198.18.222.10')
    const hidden = { ...gateway('198.18.222.10'), portId: wish.gateway!.portId, snat: false }
    await tell({ gateway: hidden })
    assert.equal(await a.reaches(machine), false, 'nobody outside knows the way back')
    await tell({ gateway: { ...hidden, snat: true } })
  })

  await t.test('a floating address leads in, and out, and from inside', async () => {
    await tell({
      floatingIps: [
        { floatingIpAddress: '198.18.222.20', fixedIpAddress: '10.0.0.5' },
        { floatingIpAddress: '198.18.222.21', fixedIpAddress: '10.0.1.5' },
      ],
    })
    assert.equal(await ping('198.18.222.20'), true)
    assert.equal(await seenFrom(a, machine), '198.18.222.20')
    assert.equal(await seenFrom(b, machine), '198.18.222.10')
    assert.equal(await b.reaches('198.18.222.20'), true, 'a neighbour on the same subnet')
    assert.equal(await a.reaches('198.18.222.20'), true, 'itself')
    assert.equal(await a.reaches('198.18.222.21'), true, 'another subnet of the router')
  })

  await t.test('another router with the same subnet inside', async () => {
    const twin = await tenant('10.0.0.0/24', '10.0.0.1')
    const other = await twin.server('10.0.0.5')
    const { routerId, report } = await cloud.router({
      interfaces: [twin.end],
      gateway: gateway('198.18.222.11'),
      floatingIps: [{ floatingIpAddress: '198.18.222.30', fixedIpAddress: '10.0.0.5' }],
    })
    assert.equal(report.state, 'present', report.message ?? '')
    assert.equal(await ping('198.18.222.30'), true)
    assert.equal(await other.reaches('198.18.222.20'), true, 'from one floating address to the other')
    assert.equal(await seenFrom(other, machine), '198.18.222.30')
    // An address that moves to another router is found there at once.
    const moved = wish.floatingIps!.filter((fip) => fip.floatingIpAddress !== '198.18.222.20')
    await tell({ floatingIps: moved })
    const floatingIps = [{ floatingIpAddress: '198.18.222.20', fixedIpAddress: '10.0.0.5' }]
    await cloud.router({ routerId, interfaces: [twin.end], gateway: gateway('198.18.222.11'), floatingIps })
    await until(() => ping('198.18.222.20'))
    assert.equal(await seenFrom(other, machine), '198.18.222.20')
    assert.equal(await seenFrom(a, machine), '198.18.222.10')
    await cloud.router({ routerId, wish: 'absent' })
    assert.ok(!(await listNamespaces()).includes(routerNamespaceOf(routerId)))
    assert.equal(await ping('198.18.222.20'), false)
  })

  await t.test('a floating address that goes takes its connections along; others go on', async () => {
    const pairs = [
      { floatingIpAddress: '198.18.222.22', fixedIpAddress: '10.0.0.5' },
      { floatingIpAddress: '198.18.222.21', fixedIpAddress: '10.0.1.5' },
    ]
    await tell({ floatingIps: pairs })
    const [doomed, lasting] = [await connect(a, '198.18.222.22'), await connect(c, '198.18.222.21')]
    t.after(() => Promise.all([doomed.end(), lasting.end()]).then(() => {}))
    await doomed.say('one')
    await lasting.say('one')
    await tell({ floatingIps: pairs.slice(1) })
    await tell({ floatingIps: pairs.with(0, { ...pairs[0]!, fixedIpAddress: '10.0.0.6' }) })
    await lasting.say('two')
    await assert.rejects(doomed.say('two'), /not heard|ECONNRESET/)
    await cloud.restart()
    await lasting.say('three')
    assert.equal(await ping('198.18.222.22'), true, 'it is the neighbour now')
  })

  await t.test('single ports of a floating address lead to several servers, and ranges shifted', async (t) => {
    const floatingIpAddress = '198.18.222.25'
    const forward = (protocol: string, outer: [number, number], fixedIpAddress: string, inner: [number, number]) => ({
      ...{ floatingIpAddress, protocol, externalFirst: outer[0], externalLast: outer[1] },
      ...{ fixedIpAddress, internalFirst: inner[0], internalLast: inner[1] },
    })
    const named = [
      [a, 22, 'a'],
      [b, 23, 'b'],
      [c, 93, 'c'],
    ] as const
    const listeners = named.map(([server, port, name]) => {
      const [command = '', ...args] = inServer(server, ['busybox', 'nc', '-ll', '-p', `${port}`, '-e', 'echo', name])
      return spawn(command, args, { stdio: 'ignore' })
    })
    t.after(() => void listeners.map((one) => one.kill('SIGKILL')))
    const heard = async (port: number) =>
      (await runTool(['timeout', '2', 'busybox', 'nc', floatingIpAddress, `${port}`])).stdout.trim()
    const all = [
      forward('tcp', [2222, 2222], '10.0.0.5', [22, 22]),
      forward('tcp', [2223, 2223], '10.0.0.6', [23, 23]),
      forward('tcp', [8000, 8005], '10.0.1.5', [90, 95]),
    ]
    await tell({ floatingIps: [], portForwardings: all })
    await until(async () => (await heard(2222)) === 'a')
    await until(async () => (await heard(2223)) === 'b')
    await until(async () => (await heard(8003)) === 'c')
    assert.equal(await heard(8004), '', 'nobody listens at its place inside')
    assert.equal(await heard(22), '')
    const fromInside = await runTool(inServer(c, ['timeout', '2', 'busybox', 'nc', floatingIpAddress, '2222']))
    assert.equal(fromInside.stdout.trim(), 'a')
    await tell({ portForwardings: all.slice(1) })
    assert.equal(await heard(2222), '')
    assert.equal(await heard(2223), 'b')
    await tell({ portForwardings: [] })
    assert.equal(await ping(floatingIpAddress), false, 'the address is nobody’s any more')
  })

  await t.test('traffic with the outside is counted by labels', async () => {
    const counted = new Map<string, number>()
    cloud.bus.subscribe<MeterReadings>(subjects.meters, ({ readings }) => {
      for (const { labelId, packets } of readings) counted.set(labelId, (counted.get(labelId) ?? 0) + packets)
    })
    const any = { excluded: false, remotePrefix: '0.0.0.0/0', sourcePrefix: null, destinationPrefix: null }
    const [both, others] = [randomUUID(), randomUUID()]
    const rules = [
      { ...any, direction: 'egress' as const },
      { ...any, direction: 'egress' as const, excluded: true, remotePrefix: `${machine}/32` },
    ]
    const inwards = { ...any, direction: 'ingress' as const, remotePrefix: null, destinationPrefix: '10.0.0.5/32' }
    await tell({
      meters: [
        { labelId: both, rules: [{ ...any, direction: 'egress' }, inwards] },
        { labelId: others, rules },
      ],
    })
    for (let i = 0; i < 3; i++) assert.equal(await a.reaches(machine), true)
    assert.equal(await b.reaches(machine), true)
    await tell({ meters: [] })
    await until(async () => counted.has(both))
    assert.deepEqual([counted.get(both), counted.get(others)], [7, undefined], '4 out, and 3 in to the first')
  })

  await t.test('extra routes, addresses and ends come and go', async () => {
    const [namespace, routes] = [
      routerNamespaceOf(wish.routerId),
      [{ destination: '10.9.0.0/16', nexthop: '10.0.0.6' }],
    ]
    const table = () => mustRun(inNamespace(namespace, ['ip', 'route']))
    await tell({ routes })
    assert.match(await table(), /10\.9\.0\.0\/16 via 10\.0\.0\.6/)
    assert.match(await table(), /default via 198\.18\.222\.1/)
    await tell({ routes: [], interfaces: [one.end], floatingIps: [] })
    assert.doesNotMatch(await table(), /10\.9|10\.0\.1/)
    assert.equal(await a.reaches('10.0.1.5'), false)
    await tell({ gateway: null })
    assert.doesNotMatch(await table(), /default/)
    await tell({ adminStateUp: false })
    assert.equal(await a.reaches('10.0.0.1'), false)
    await tell({ adminStateUp: true, gateway: gateway('198.18.222.12') })
    await until(() => a.reaches(machine))
    assert.equal(await seenFrom(a, machine), '198.18.222.12')
    const qg = gatewayLinkOf(wish.gateway!.portId)
    assert.match(await mustRun(inNamespace(namespace, ['ip', 'address', 'show', qg])), /198\.18\.222\.12\/24/)
  })

  await t.test('removeEverything takes routers too', async () => {
    for (const id of made) {
      const signal = AbortSignal.timeout(20_000)
      await engine.engine.send('DELETE', `/containers/${id}`, { query: { force: true }, signal })
    }
    await cloud.stop()
    await removeEverything(cloud.cloudId, { engine: engine.engine, stateDir: cloud.stateDir })
    assert.ok(!(await listNamespaces()).includes(routerNamespaceOf(wish.routerId)))
  })
})

let n = 0
const link = (networkId: string) => ({
  portId: randomUUID(),
  networkId,
  macAddress: `fa:16:3e:99:00:${(n++).toString(16).padStart(2, '0')}`,
  mtu: 1450,
  adminStateUp: true,
})

const ping = async (address: string) => (await runTool(['busybox', 'ping', '-c', '1', '-W', '1', address])).code === 0

interface Runs {
  pid: number
}

/** The address by which a server is seen at a listener on the machine. */
async function seenFrom(server: Runs, address: string): Promise<string> {
  const { createServer } = await import('node:net')
  const listener = createServer((socket) => socket.on('error', () => {}).end())
  listener.listen(0, address)
  await once(listener, 'listening')
  const { port } = listener.address() as { port: number }
  const seen = once(listener, 'connection') as Promise<[{ remoteAddress: string }]>
  const script = `exec 3<>/dev/tcp/${address}/${port}`
  void runTool(inServer(server, ['timeout', '5', 'bash', '-c', script]))
  try {
    const timer = AbortSignal.timeout(5000)
    const [socket] = await Promise.race([seen, once(timer, 'abort').then(() => assert.fail('nobody came'))])
    return socket.remoteAddress
  } finally {
    listener.close()
  }
}

const inServer = (server: Runs, argv: readonly string[]) => ['nsenter', `--net=/proc/${server.pid}/ns/net`, ...argv]

/** A TCP connection from the machine to an echoing listener in a server. */
async function connect(server: Runs, address: string) {
  const [command = '', ...args] = inServer(server, ['busybox', 'nc', '-l', '-p', '7777', '-e', 'cat'])
  const listener: ChildProcess = spawn(command, args, { stdio: 'ignore' })
  const { createConnection } = await import('node:net')
  const open = () =>
    new Promise<import('node:net').Socket>((resolve, reject) => {
      const socket = createConnection({ host: address, port: 7777 })
      socket.once('connect', () => resolve(socket)).once('error', reject)
    })
  let socket = await open().catch(() => null)
  await until(async () => {
    socket ??= await open().catch(() => null)
    return socket !== null
  })
  const live = socket!
  live.on('error', () => {})
  return {
    async say(text: string): Promise<void> {
      live.write(text)
      const heard = once(live, 'data').then(([data]) => assert.equal(String(data), text))
      const late = once(AbortSignal.timeout(1500), 'abort').then(() => Promise.reject(new Error(`${text}: not heard`)))
      await Promise.race([heard, late])
    },
    async end() {
      live.destroy()
      listener.kill('SIGKILL')
    },
  }
}
