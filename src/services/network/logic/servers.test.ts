import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { eachDatabase, type Open } from '../../../../test/support/databases.ts'
import type { ServerWishes } from '../index.ts'
import { startNetwork } from '../test-support.ts'

const serverId = '11111111-2222-3333-4444-555555555555'

async function start(t: TestContext, open?: Open) {
  const cloud = await startNetwork(t, open ? { open } : {})
  const alice = cloud.as('alice')
  const { network, ground } = cloud
  const wishes = (networks: ServerWishes['networks'], securityGroups: string[] = []): ServerWishes => ({
    ...{ serverId, projectId: 'alice', hostname: 's1', availabilityZone: 'nova', networks, securityGroups },
  })
  const check = (wanted: ServerWishes) => network.checkNetworks(ground.database.read, alice.ctx, wanted)
  const plug = (wanted: ServerWishes, host = 'host1') =>
    ground.database.write((trx) => network.plugServer(trx, alice.ctx, { ...wanted, host }))
  const unplug = () => ground.database.write((trx) => network.unplugServer(trx, serverId))
  const makeNetwork = async (cidr: string, values: object = {}) => {
    const made = await alice.make('networks', { name: cidr, ...values })
    await alice.make('subnets', { network_id: made.id, ip_version: 4, cidr })
    return made.id as string
  }
  return { ...cloud, alice, wishes, check, plug, unplug, makeNetwork }
}

eachDatabase((engine, open) => {
  test(`${engine}: a server's ports are made, bound, become ACTIVE, and leave nothing behind`, async (t) => {
    const { alice, as, wishes, plug, unplug, makeNetwork, network, ground, settle, addHost } = await start(t, open)
    addHost('host1')
    const [one, two] = [await makeNetwork('10.1.0.0/24'), await makeNetwork('10.2.0.0/24')]
    const own = await alice.make('ports', { network_id: two, fixed_ips: [{ ip_address: '10.2.0.77' }] })
    const ports = await plug(wishes([{ networkId: one, fixedIp: '10.1.0.9' }, { portId: own.id }], ['default']))
    assert.deepEqual(
      ports.map((port) => [port.networkId, port.fixedIps[0]?.ipAddress, port.securityGroupNames, port.madeByCompute]),
      [
        [one, '10.1.0.9', ['default'], true],
        [two, '10.2.0.77', ['default'], false],
      ],
    )
    await settle()
    const listed = (await as('admin').get(`ports?device_id=${serverId}`)).body.ports
    assert.deepEqual(
      listed.map((p: Record<string, unknown>) => [p.status, p['binding:host_id'], p.device_owner]),
      [1, 2].map(() => ['ACTIVE', 'host1', 'compute:nova']),
    )
    assert.equal((await network.serverPorts(ground.database.read, [serverId])).get(serverId)?.length, 2)
    const used = await alice.delete(`networks/${one}`)
    assert.equal(used.body.NeutronError.type, 'NetworkInUse')

    await unplug()
    await unplug()
    await settle()
    const all: { device_owner: string }[] = (await as('admin').get('ports')).body.ports
    const left = all.filter((port) => port.device_owner !== 'network:dhcp')
    assert.deepEqual(
      left.map((p: Record<string, unknown>) => [p.id, p.device_id, p.status, p['binding:host_id']]),
      [[own.id, '', 'DOWN', '']],
    )
    assert.equal((await alice.delete(`networks/${one}`)).status, 204)
    await alice.delete(`ports/${own.id}`)
    assert.equal((await alice.delete(`networks/${two}`)).status, 204)
    await settle()
    for (const table of ['network_host_networks', 'network_gone_ports', 'network_ip_allocations'] as const) {
      assert.deepEqual(await ground.database.read.selectFrom(table).selectAll().execute(), [], table)
    }
  })
})

test('which network a server gets without asking', async (t) => {
  const { as, wishes, check, plug, unplug, makeNetwork } = await start(t)
  assert.deepEqual(await plug(wishes('auto')), [])
  const shared = await as('admin').make('networks', { name: 'public', shared: true })
  await as('admin').make('subnets', { network_id: shared.id, ip_version: 4, cidr: '198.18.4.0/24' })
  assert.equal((await plug(wishes('auto')))[0]?.networkId, shared.id)
  await unplug()
  const own = await makeNetwork('10.1.0.0/24')
  assert.equal((await plug(wishes('auto')))[0]?.networkId, own)
  await unplug()
  await makeNetwork('10.2.0.0/24')
  await assert.rejects(check(wishes('auto')), { kind: 'conflict', message: /Multiple possible networks found/ })
  assert.deepEqual(await plug(wishes('none')), [])
})

test('wishes that cannot be granted are refused in words that Nova uses', async (t) => {
  const { alice, as, wishes, check, plug, makeNetwork } = await start(t)
  const id = await makeNetwork('10.1.0.0/24')
  const bare = await alice.make('networks', { name: 'bare' })
  const external = await as('admin').make('networks', { name: 'ext', 'router:external': true })
  const foreign = await as('bob').make('networks', { name: 'b' })
  const port = await alice.make('ports', { network_id: id, device_id: 'someone' })
  const shared = await as('admin').make('networks', { name: 'sh', shared: true })
  await as('admin').make('subnets', { network_id: shared.id, ip_version: 4, cidr: '10.9.0.0/24' })
  for (const name of ['same', 'same']) await alice.make('security-groups', { name })
  const missing = '7b26bb69-d56e-4b3a-9d8e-4d9b6c1a2a3b'
  const cases: [ServerWishes, string, RegExp][] = [
    [wishes([{ networkId: missing }]), 'badRequest', /Network 7b26\S+ could not be found/],
    [wishes([{ networkId: foreign.id }]), 'badRequest', /could not be found/],
    [wishes([{ networkId: bare.id }]), 'badRequest', /requires a subnet in order to boot instances on/],
    [wishes([{ networkId: external.id }]), 'forbidden', /not allowed to create an interface on external network/],
    [wishes([{ portId: missing }]), 'badRequest', /Port id 7b26\S+ could not be found/],
    [wishes([{ portId: port.id }]), 'conflict', /Port \S+ is still in use/],
    [wishes([{ networkId: id, fixedIp: 'x' }]), 'badRequest', /not a valid ip address/],
    [wishes([{ networkId: shared.id, fixedIp: '10.9.0.9' }]), 'forbidden', /create_port:fixed_ips:ip_address/],
    [wishes([{ networkId: id }], ['nope']), 'badRequest', /Security group nope not found for project alice/],
    [wishes([{ networkId: id }], ['same']), 'conflict', /Multiple security_group found matching 'same'/],
  ]
  for (const [wanted, kind, message] of cases) await assert.rejects(check(wanted), { kind, message })
  const taken = port.fixed_ips[0].ip_address
  const wanted = wishes([{ networkId: id, fixedIp: taken }])
  await assert.rejects(check(wanted), { kind: 'badRequest', message: /already in use on instance someone/ })
  await assert.rejects(plug(wanted), { kind: 'badRequest', message: /already in use on instance someone/ })
  await as('admin').put('quotas/alice', { quota: { port: 1 } })
  await assert.rejects(check(wishes([{ networkId: id }])), { kind: 'overQuota', message: /Maximum number of ports/ })
})
