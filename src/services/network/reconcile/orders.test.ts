import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  type NetworkInventory,
  type NetworkOrder,
  type NetworkReport,
  type PortOrder,
  type SecurityGroupOrder,
  subjects,
} from '../messages.ts'
import { startNetwork } from '../test-support.ts'

/** A cloud with one host that does as told, and everything it was told. */
async function start(t: TestContext, hosts: string[] = ['host1']) {
  const cloud = await startNetwork(t)
  const { bus, clock } = cloud.ground
  const told = { networks: [] as NetworkOrder[], ports: [] as PortOrder[], groups: [] as SecurityGroupOrder[] }
  const order: string[] = []
  const listen = (host: string) => {
    const note = <T>(kind: 'networks' | 'ports' | 'groups', subject: string) =>
      bus.subscribe<T>(subject, (message) => {
        const list: T[] = told[kind] as T[]
        list.push(message)
        order.push(kind)
      })
    note<NetworkOrder>('networks', subjects.network(host))
    note<PortOrder>('ports', subjects.port(host))
    note<SecurityGroupOrder>('groups', subjects.group(host))
    return cloud.addHost(host)
  }
  const stoppable = hosts.map(listen)
  await bus.idle()
  const forget = () => {
    told.networks = []
    told.ports = []
    told.groups = []
    order.length = 0
  }
  const alice = cloud.as('alice')
  const admin = cloud.as('admin')
  const { id: network_id } = await alice.make('networks', { name: 'n' })
  const subnet = await alice.make('subnets', { network_id, ip_version: 4, cidr: '10.0.0.0/24' })
  const port = (values: object = {}) =>
    admin.make('ports', { network_id, project_id: 'alice', 'binding:host_id': 'host1', ...values })
  return { ...cloud, told, order, forget, alice, admin, network_id, subnet, port, bus, clock, stoppable }
}

test('a bound port brings its network and groups along, in that order, and is ordered once', async (t) => {
  const { told, order, forget, port, settle, network_id, subnet, alice } = await start(t)
  const made = await port({ device_id: 'server' })
  await settle()
  assert.deepEqual(
    order.toSorted((a, b) => a.localeCompare(b)),
    ['groups', 'networks', 'ports'],
  )
  assert.equal(order.at(-1), 'ports')
  const [network] = told.networks
  assert.equal(network?.wish, 'present')
  assert.deepEqual(
    network?.subnets.map(({ subnetId, cidr, gatewayIp }) => [subnetId, cidr, gatewayIp]),
    [[subnet.id, '10.0.0.0/24', '10.0.0.1']],
  )
  const [ordered] = told.ports
  assert.equal(ordered?.wish, 'bound')
  assert.equal(ordered?.macAddress, made.mac_address)
  assert.equal(ordered?.defaultRoute, true)
  assert.deepEqual(ordered?.securityGroupIds, made.security_groups)
  const [group] = told.groups
  assert.deepEqual(group?.members, [{ networkId: network_id, ipAddress: made.fixed_ips[0].ip_address }])
  assert.equal(group?.rules.length, 4)
  assert.equal((await alice.get(`ports/${made.id}`)).body.port.status, 'ACTIVE')

  forget()
  await settle()
  assert.deepEqual(order, [])
  // A port that is bound nowhere is nobody's business.
  await alice.make('ports', { network_id })
  await settle()
  assert.deepEqual(order, [])
})

test('changes reach the host: the network off, a subnet, a rule, an address', async (t) => {
  const { told, order, forget, port, settle, network_id, subnet, alice } = await start(t)
  const made = await port()
  await settle()
  forget()
  await alice.put(`networks/${network_id}`, { network: { admin_state_up: false } })
  await settle()
  assert.equal(told.ports[0]?.adminStateUp, false)
  forget()
  await alice.put(`subnets/${subnet.id}`, { subnet: { dns_nameservers: ['9.9.9.9'] } })
  await settle()
  assert.deepEqual(told.networks[0]?.subnets[0]?.dnsNameservers, ['9.9.9.9'])
  forget()
  const [group] = made.security_groups
  await alice.make('security-group-rules', { security_group_id: group, direction: 'ingress', protocol: 'icmp' })
  await settle()
  assert.deepEqual(order, ['groups'])
  assert.ok(told.groups[0]?.rules.some((rule) => rule.protocol === 'icmp'))
  forget()
  await alice.put(`ports/${made.id}`, { port: { fixed_ips: [{ ip_address: '10.0.0.99' }] } })
  await settle()
  assert.deepEqual(told.ports[0]?.fixedIps, [{ subnetId: subnet.id, ipAddress: '10.0.0.99' }])
  assert.deepEqual(told.groups[0]?.members, [{ networkId: network_id, ipAddress: '10.0.0.99' }])
})

test('a host hears of groups that its rules name, and no longer when they do not', async (t) => {
  const { told, forget, port, settle, alice } = await start(t, ['host1', 'host2'])
  const web = await alice.make('security-groups', { name: 'web' })
  const db = await alice.make('security-groups', { name: 'db' })
  await port({ security_groups: [web.id] })
  await port({ security_groups: [db.id], 'binding:host_id': 'host2' })
  await settle()
  forget()
  const rule = await alice.make('security-group-rules', {
    security_group_id: db.id,
    direction: 'ingress',
    remote_group_id: web.id,
  })
  await settle()
  // host2 gets db's new rule and web's members; host1 hears of web again.
  assert.deepEqual(
    told.groups.map((g) => [g.groupId, g.wish]).sort(),
    [
      [db.id, 'present'],
      [web.id, 'present'],
      [web.id, 'present'],
    ].sort(),
  )
  forget()
  await alice.delete(`security-group-rules/${rule.id}`)
  await settle()
  assert.deepEqual(told.groups.map((g) => g.wish).sort(), ['absent', 'present', 'present'])
})

test('what is deleted or moved away is taken from the host, the network with its last port', async (t) => {
  const { told, forget, port, settle, admin, ground, clock, bus, addHost } = await start(t, ['host1', 'host2'])
  const [one, two] = [await port(), await port()]
  await settle()
  forget()
  await admin.delete(`ports/${one.id}`)
  await settle()
  assert.deepEqual(
    told.ports.map((p) => [p.portId, p.wish]),
    [[one.id, 'absent']],
  )
  assert.equal(told.networks.length, 0)
  forget()
  await admin.put(`ports/${two.id}`, { port: { 'binding:host_id': 'host2' } })
  await settle()
  assert.deepEqual(told.ports.map((p) => p.wish).sort(), ['absent', 'bound'])
  assert.deepEqual(
    told.networks.map((n) => n.wish),
    ['present', 'present'],
    'one host has it now, the other has a new neighbour',
  )
  // It stays a while, for the next server; then it goes.
  clock.advanceMs(301_000)
  for (const host of ['host1', 'host2']) addHost(host)
  await bus.idle()
  await settle()
  assert.equal(told.networks.filter((n) => n.wish === 'absent').length, 1)
  await admin.delete(`ports/${two.id}`)
  await settle()
  assert.deepEqual(await ground.database.read.selectFrom('network_gone_ports').selectAll().execute(), [])
})

test('a host that fails is asked again, and its reason kept; old reports change nothing', async (t) => {
  const { told, forget, port, settle, bus, clock, stoppable, alice, ground, network } = await start(t)
  for (const host of stoppable) host.stop()
  const made = await port()
  await network.loops.at(-1)!.run(new AbortController().signal)
  await bus.idle()
  const [first] = told.ports
  const report = (state: NetworkReport['state'], generation: number, message: string | null = null) =>
    bus.publish(subjects.report, { host: 'host1', kind: 'port', id: made.id, generation, state, message })
  report('error', first!.generation, 'no such device')
  await bus.idle()
  const row = () => ground.database.read.selectFrom('network_ports').selectAll().executeTakeFirstOrThrow()
  assert.deepEqual([(await row()).status, (await row()).fault], ['ERROR', 'no such device'])
  forget()
  clock.advanceMs(20_000)
  await network.loops.at(-1)!.run(new AbortController().signal)
  await bus.idle()
  assert.equal(told.ports.length, 1)
  await alice.put(`ports/${made.id}`, { port: { name: 'renamed' } })
  const { generation } = await row()
  report('active', generation - 1)
  await bus.idle()
  assert.ok((await row()).seen_generation < generation)
  report('active', generation)
  await bus.idle()
  assert.deepEqual([(await row()).status, (await row()).seen_generation], ['ACTIVE', generation])
  report('down', generation)
  await settle()
  assert.equal((await row()).status, 'DOWN')
})

test('a host that begins anew hears all of it; what nobody knows is taken from it', async (t) => {
  const { told, order, forget, port, settle, bus, clock, addHost, network_id, alice } = await start(t)
  const made = await port()
  await settle()
  forget()
  clock.advanceMs(1000)
  addHost('host1').stop()
  await bus.idle()
  await settle()
  assert.deepEqual([...new Set(order)].sort(), ['groups', 'networks', 'ports'])

  const inventory = (networks: string[], ports: string[]) =>
    bus.publish(subjects.inventory, { host: 'host1', networks, ports } satisfies NetworkInventory)
  forget()
  clock.advanceMs(20_000)
  inventory([network_id], [made.id])
  await bus.idle()
  await settle()
  assert.deepEqual(order, [])
  const stranger = '7b26bb69-d56e-4b3a-9d8e-4d9b6c1a2a3b'
  const unused = await alice.make('networks', { name: 'unused' })
  inventory([network_id, stranger, unused.id], [made.id, stranger])
  await bus.idle()
  await settle()
  assert.deepEqual(
    told.networks.map((n) => [n.networkId, n.wish]).sort(),
    [
      [stranger, 'absent'],
      [unused.id, 'absent'],
    ].sort(),
  )
  assert.deepEqual(
    told.ports.map((p) => [p.portId, p.wish]),
    [[stranger, 'absent']],
  )
  forget()
  clock.advanceMs(20_000)
  inventory([], [])
  await bus.idle()
  await settle()
  assert.deepEqual(
    told.networks.map((n) => [n.networkId, n.wish]),
    [[network_id, 'present']],
  )
  assert.deepEqual(
    told.ports.map((p) => [p.portId, p.wish]),
    [[made.id, 'bound']],
  )
})

test('the seed makes networks and routers once; a host has the public one, and those with its routers', async (t) => {
  const { told, forget, settle, network, as, ground } = await start(t)
  forget()
  const wishes = { adminProjectId: 'admin', demoProjectId: 'alice', publicCidr: '198.18.4.0/24' }
  await network.seed(wishes)
  await network.seed(wishes)
  await settle()
  const all = (await as('admin').get('networks?sort_key=name&sort_key=project_id')).body.networks
  assert.deepEqual(
    all
      .filter((n: { name: string }) => n.name !== 'n')
      .map((n: Record<string, unknown>) => [n.name, n.project_id, n.shared]),
    [
      ['demo-private', 'alice', false],
      ['private', 'admin', false],
      ['public', 'admin', true],
    ],
  )
  assert.deepEqual(
    told.networks.map((n) => [n.external, n.wish, n.subnets[0]?.gatewayIp]),
    [
      [true, 'present', '198.18.4.1'],
      [false, 'present', '10.0.0.1'],
      [false, 'present', '10.0.0.1'],
    ],
  )
  const routers = (await as('admin').get('routers?sort_key=name')).body.routers
  assert.deepEqual(
    routers.map((router: Record<string, unknown>) => [router.name, router.project_id]),
    [
      ['demo-router', 'alice'],
      ['router', 'admin'],
    ],
  )
  const rows = await ground.database.read.selectFrom('network_host_networks').selectAll().execute()
  assert.equal(rows.length, 3)
})
