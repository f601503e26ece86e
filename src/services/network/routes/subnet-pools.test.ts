import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { startNetwork } from '../test-support.ts'

eachDatabase((engine, open) => {
  test(`${engine}: subnets out of a pool, at once, until it is empty`, async (t) => {
    const { as } = await startNetwork(t, { open })
    const alice = as('alice')
    const pool = await alice.make('subnetpools', {
      name: 'p',
      prefixes: ['10.1.0.0/23', '10.2.0.0/24'],
      min_prefixlen: 24,
      default_prefixlen: 26,
      max_prefixlen: 28,
    })
    const networks = await Promise.all(Array.from({ length: 6 }, () => alice.make('networks', {})))
    const take = (network_id: string, more = {}) =>
      alice.post('subnets', { subnet: { network_id, ip_version: 4, subnetpool_id: pool.id, ...more } })
    const taken = await Promise.all(networks.map(({ id }) => take(id)))
    assert.deepEqual(new Set(taken.map(({ status }) => status)), new Set([201]))
    const cidrs = new Set(taken.map(({ body }) => body.subnet.cidr))
    assert.equal(cidrs.size, 6)
    assert.equal(taken[0]!.body.subnet.subnetpool_id, pool.id)
    const [first] = networks
    const types = async (more: object) => (await take(first.id, more)).body.NeutronError?.type
    assert.equal(await types({ prefixlen: 23 }), 'MinPrefixSubnetAllocationError')
    assert.equal(await types({ prefixlen: 29 }), 'MaxPrefixSubnetAllocationError')
    assert.equal(await types({ cidr: '10.9.0.0/24' }), 'SubnetAllocationError')
    assert.equal(await types({ cidr: taken[1]!.body.subnet.cidr }), 'SubnetAllocationError')
    assert.equal(await types({ prefixlen: 24 }), undefined)
    assert.equal(await types({ prefixlen: 24 }), 'SubnetAllocationError')
    const plain = { network_id: first.id, ip_version: 4, cidr: '192.168.0.0/24' }
    assert.equal(
      (await alice.post('subnets', { subnet: plain })).body.NeutronError.type,
      'NetworkSubnetPoolAffinityError',
    )
    assert.equal((await alice.delete(`subnetpools/${pool.id}`)).body.NeutronError.type, 'SubnetPoolDeleteError')
    assert.equal((await alice.put(`subnetpools/${pool.id}`, { subnetpool: { default_quota: 1 } })).status, 200)
    assert.equal(await types({ prefixlen: 28 }), 'SubnetPoolQuotaExceeded')
  })
})

test('a pool is checked, widened and narrowed', async (t) => {
  const { as } = await startNetwork(t)
  const [admin, alice] = [as('admin'), as('alice')]
  const refused = async (values: object) => {
    const { status, body } = await alice.post('subnetpools', { subnetpool: { name: 'p', ...values } })
    return `${status} ${body.NeutronError?.type}`
  }
  const six = await alice.make('address-scopes', { name: 'six', ip_version: 6 })
  const cases: [object, string][] = [
    [{ prefixes: [] }, '400 EmptySubnetPoolPrefixList'],
    [{ prefixes: ['10.0.0.0/8', 'fd00::/48'] }, '400 PrefixVersionMismatch'],
    [{ prefixes: ['10.0.0.0/8'], min_prefixlen: 28, max_prefixlen: 24 }, '400 IllegalSubnetPoolPrefixBounds'],
    [{ prefixes: ['10.0.0.0/8'], default_prefixlen: 40 }, '400 IllegalSubnetPoolPrefixBounds'],
    [{ prefixes: ['10.0.0.0/8'], shared: true }, '403 PolicyNotAuthorized'],
    [{ prefixes: ['10.0.0.0/8'], is_default: true }, '403 PolicyNotAuthorized'],
    [{ prefixes: ['ten'] }, '400 HTTPBadRequest'],
    [{ prefixes: ['10.0.0.0/8'], address_scope_id: six.id }, '400 IllegalSubnetPoolIpVersionAssociationToAddressScope'],
    [{ prefixes: ['10.0.0.0/8'], address_scope_id: crypto.randomUUID() }, '404 AddressScopeNotFound'],
  ]
  for (const [values, wanted] of cases) assert.equal(await refused(values), wanted, JSON.stringify(values))
  const scope = await alice.make('address-scopes', { name: 'four', ip_version: 4 })
  const pool = await alice.make('subnetpools', { name: 'p', prefixes: ['10.0.1.0/24'], address_scope_id: scope.id })
  assert.deepEqual([pool.ip_version, pool.min_prefixlen, pool.max_prefixlen], [4, '8', '32'])
  assert.equal(
    await refused({ prefixes: ['10.0.0.0/16'], address_scope_id: scope.id }),
    '409 AddressScopePrefixConflict',
  )
  const url = `subnetpools/${pool.id}`
  const change = async (values: object) => (await alice.put(url, { subnetpool: values })).body
  assert.equal((await change({ prefixes: ['10.0.1.0/25'] })).NeutronError.type, 'IllegalSubnetPoolPrefixUpdate')
  assert.deepEqual((await change({ prefixes: ['10.0.0.0/24', '10.0.1.0/24'] })).subnetpool.prefixes, ['10.0.0.0/23'])
  assert.equal((await change({ shared: true })).NeutronError.type, 'HTTPBadRequest')
  assert.deepEqual((await alice.put(`${url}/add_prefixes`, { prefixes: ['10.9.0.0/24'] })).body.prefixes, [
    '10.0.0.0/23',
    '10.9.0.0/24',
  ])
  assert.deepEqual((await alice.put(`${url}/remove_prefixes`, { prefixes: ['10.0.0.0/24'] })).body.prefixes, [
    '10.0.1.0/24',
    '10.9.0.0/24',
  ])

  const { id: network_id } = await alice.make('networks', {})
  await alice.make('subnets', { network_id, ip_version: 4, cidr: '172.20.0.0/24' })
  assert.equal((await alice.put(`${url}/onboard_network_subnets`, { network_id })).status, 200)
  assert.deepEqual((await alice.get(url)).body.subnetpool.prefixes, ['10.0.1.0/24', '10.9.0.0/24', '172.20.0.0/24'])
  assert.equal((await alice.get(`networks/${network_id}`)).body.network.ipv4_address_scope, scope.id)
  assert.equal((await alice.put(`${url}/remove_prefixes`, { prefixes: ['172.20.0.0/25'] })).status, 400)
  await admin.make('subnetpools', { name: 'd', prefixes: ['10.64.0.0/10'], is_default: true })
  assert.equal(
    (await admin.post('subnetpools', { subnetpool: { name: 'e', prefixes: ['10.0.0.0/8'], is_default: true } })).status,
    400,
  )
})

test('a network with a router for who asks for one, and its addresses counted', async (t) => {
  const { as } = await startNetwork(t)
  const [admin, alice] = [as('admin'), as('alice')]
  const path = 'auto-allocated-topology/None'
  assert.equal((await alice.get(`${path}?fields=dry-run`)).body.NeutronError.type, 'AutoAllocationFailure')
  const outside = await admin.make('networks', { name: 'o', 'router:external': true, is_default: true })
  await admin.make('subnets', { network_id: outside.id, ip_version: 4, cidr: '198.51.100.0/24' })
  const values = { name: 'd', prefixes: ['10.64.0.0/10'], default_prefixlen: 26, is_default: true, shared: true }
  await admin.make('subnetpools', values)
  assert.equal((await alice.get(`${path}?fields=dry-run`)).body.auto_allocated_topology.id, 'dry-run=pass')
  assert.deepEqual((await alice.get('networks?router:external=false')).body.networks, [])
  const both = await Promise.all([alice.get(path), alice.get(path)])
  const ids = both.map(({ body }) => body.auto_allocated_topology.id)
  assert.equal(ids[0], ids[1])
  assert.equal((await alice.get('routers')).body.routers.length, 1)
  const [availability] = (await admin.get(`network-ip-availabilities?network_id=${ids[0]}`)).body
    .network_ip_availabilities
  assert.deepEqual([availability.total_ips, availability.used_ips], [61, 1])
  assert.deepEqual((await alice.get('network-ip-availabilities')).body.network_ip_availabilities, [])
  const { id: network_id } = await admin.make('networks', {})
  await admin.make('subnets', { network_id, ip_version: 6, cidr: 'fd00::/64' })
  const text = JSON.stringify((await admin.get(`network-ip-availabilities/${network_id}`)).body)
  assert.match(text, /"total_ips":18446744073709552000/)
  const port = await alice.make('ports', { network_id: ids[0] })
  assert.equal((await alice.delete(path)).status, 409)
  await alice.delete(`ports/${port.id}`)
  assert.equal((await alice.delete(path)).status, 204)
  assert.deepEqual((await alice.get('routers')).body.routers, [])
  assert.deepEqual((await alice.get('subnets')).body.subnets, [])
})

test('subnets for some kinds of ports', async (t) => {
  const { as } = await startNetwork(t)
  const [admin, alice] = [as('admin'), as('alice')]
  const { id: network_id } = await alice.make('networks', {})
  const make = (cidr: string, service_types: string[]) =>
    admin.make('subnets', { network_id, project_id: 'alice', ip_version: 4, cidr, service_types })
  const [servers, routers] = [await make('10.0.0.0/24', ['compute:']), await make('10.0.1.0/24', ['network:router'])]
  const subnetOf = async (device_owner: string) =>
    (await admin.make('ports', { network_id, device_owner })).fixed_ips[0]?.subnet_id
  assert.equal(await subnetOf('compute:nova'), servers.id)
  assert.equal(await subnetOf('network:router_interface'), routers.id)
  const refused = await alice.post('ports', { port: { network_id } })
  assert.equal(refused.body.NeutronError.type, 'IpAddressGenerationFailureNoMatchingSubnet')
  const open = await make('10.0.2.0/24', [])
  assert.equal(await subnetOf(''), open.id)
  assert.equal(await subnetOf('compute:nova'), servers.id)
  const bad = { subnet: { service_types: [''] } }
  assert.equal((await admin.put(`subnets/${open.id}`, bad)).status, 400)
  assert.equal((await alice.put(`subnets/${open.id}`, { subnet: { service_types: ['compute:'] } })).status, 200)
})
