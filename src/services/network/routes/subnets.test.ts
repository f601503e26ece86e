import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startNetwork } from '../test-support.ts'

test('a subnet gets a gateway and pools around it, and goes with its network', async (t) => {
  const { as } = await startNetwork(t)
  const alice = as('alice')
  const network = await alice.make('networks', { name: 'n' })
  const subnet = await alice.make('subnets', { network_id: network.id, ip_version: 4, cidr: '10.1.0.0/24', name: 's' })
  assert.equal(subnet.gateway_ip, '10.1.0.1')
  assert.deepEqual(subnet.allocation_pools, [{ start: '10.1.0.2', end: '10.1.0.254' }])
  assert.equal(subnet.enable_dhcp, true)
  const six = await alice.make('subnets', { network_id: network.id, ip_version: 6, cidr: 'fd00:0:0:1::/64' })
  assert.equal(six.cidr, 'fd00:0:0:1::/64')
  assert.equal(six.gateway_ip, 'fd00:0:0:1::1')
  assert.deepEqual((await alice.get(`networks/${network.id}`)).body.network.subnets, [subnet.id, six.id])
  assert.equal((await as('bob').get(`subnets/${subnet.id}`)).status, 404)
  assert.equal((await alice.delete(`networks/${network.id}`)).status, 204)
  assert.equal((await alice.get(`subnets/${subnet.id}`)).status, 404)
})

test('two projects may have the same addresses; one network may not', async (t) => {
  const { as } = await startNetwork(t)
  const wanted = { ip_version: 4, cidr: '10.0.0.0/24' }
  for (const user of ['alice', 'bob'] as const) {
    const network = await as(user).make('networks', { name: 'n' })
    await as(user).make('subnets', { network_id: network.id, ...wanted })
    const twice = { subnet: { network_id: network.id, ip_version: 4, cidr: '10.0.0.128/25' } }
    const refused = await as(user).post('subnets', twice)
    assert.equal(refused.status, 400)
    assert.match(refused.body.NeutronError.message, /overlaps with another subnet/)
  }
})

test('address plans that do not hold together are refused', async (t) => {
  const { as } = await startNetwork(t)
  const alice = as('alice')
  const { id } = await alice.make('networks', { name: 'n' })
  const v4 = { ip_version: 4, cidr: '10.2.0.0/24' }
  const v6 = { ip_version: 6, cidr: 'fd00:2::/64' }
  const pools = (...ranges: string[][]) => ({ allocation_pools: ranges.map(([start, end]) => ({ start, end })) })
  const cases: [object, number, string][] = [
    [{ ip_version: 4, cidr: 'nonsense' }, 400, 'HTTPBadRequest'],
    [{ ip_version: 5, cidr: '10.2.0.0/24' }, 400, 'HTTPBadRequest'],
    [{ ip_version: 6, cidr: '10.2.0.0/24' }, 400, 'InvalidInput'],
    [{ ...v4, gateway_ip: '10.2.0.0' }, 400, 'InvalidInput'],
    [{ ...v4, gateway_ip: 'fd00::1' }, 400, 'InvalidInput'],
    [{ ...v4, ...pools(['10.2.0.9', '10.2.0.2']) }, 400, 'InvalidAllocationPool'],
    [{ ...v4, ...pools(['10.2.0.9', '10.2.1.2']) }, 400, 'OutOfBoundsAllocationPool'],
    [{ ...v4, ...pools(['10.2.0.2', '10.2.0.9'], ['10.2.0.9', '10.2.0.20']) }, 409, 'OverlappingAllocationPools'],
    [{ ...v4, ...pools(['10.2.0.1', '10.2.0.9']) }, 409, 'GatewayConflictWithAllocationPools'],
    [{ ...v4, dns_nameservers: ['1.1.1.1', '1.1.1.1'] }, 400, 'HTTPBadRequest'],
    [{ ...v4, dns_nameservers: ['a'] }, 400, 'HTTPBadRequest'],
    [{ ...v4, ipv6_ra_mode: 'slaac' }, 400, 'InvalidInput'],
    [{ ...v6, ipv6_ra_mode: 'slaac', ipv6_address_mode: 'dhcpv6-stateful' }, 400, 'InvalidInput'],
    [{ ...v6, ipv6_address_mode: 'slaac', enable_dhcp: false }, 400, 'InvalidInput'],
    [{ ip_version: 6, cidr: 'fd00:2::/80', ipv6_address_mode: 'slaac' }, 400, 'InvalidInput'],
  ]
  for (const [values, status, type] of cases) {
    const refused = await alice.post('subnets', { subnet: { network_id: id, ...values } })
    assert.deepEqual([refused.status, refused.body.NeutronError.type], [status, type], JSON.stringify(values))
  }
  const nowhere = { subnet: { network_id: '7b26bb69-d56e-4b3a-9d8e-4d9b6c1a2a3b', ...v4 } }
  assert.equal((await alice.post('subnets', nowhere)).status, 404)
})

test('a subnet is changed, and not deleted while its addresses are used', async (t) => {
  const { as } = await startNetwork(t)
  const alice = as('alice')
  const { id: network_id } = await alice.make('networks', { name: 'n' })
  const subnet = await alice.make('subnets', { network_id, ip_version: 4, cidr: '10.3.0.0/24', gateway_ip: null })
  assert.equal(subnet.gateway_ip, null)
  assert.deepEqual(subnet.allocation_pools, [{ start: '10.3.0.1', end: '10.3.0.254' }])
  const url = `subnets/${subnet.id}`
  const changes = {
    name: 'new',
    dns_nameservers: ['9.9.9.9'],
    host_routes: [{ destination: '10.20.0.0/32', nexthop: '10.3.0.9' }],
    allocation_pools: [{ start: '10.3.0.5', end: '10.3.0.5' }],
    gateway_ip: '10.3.0.1',
  }
  const changed = (await alice.put(url, { subnet: changes })).body.subnet
  for (const [name, value] of Object.entries(changes)) assert.deepEqual(changed[name], value)
  assert.equal((await alice.put(url, { subnet: { cidr: '10.4.0.0/24' } })).status, 400)
  const port = await alice.make('ports', { network_id })
  assert.equal(port.fixed_ips[0].ip_address, '10.3.0.5')
  const used = await alice.delete(url)
  assert.deepEqual([used.status, used.body.NeutronError.type], [409, 'SubnetInUse'])
  assert.equal((await alice.delete(`networks/${network_id}`)).body.NeutronError.type, 'NetworkInUse')
  assert.equal((await alice.delete(`ports/${port.id}`)).status, 204)
  assert.equal((await alice.delete(url)).status, 204)
})
