import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startNetwork } from '../test-support.ts'

async function start(t: TestContext) {
  const cloud = await startNetwork(t)
  const alice = cloud.as('alice')
  const { id: network_id } = await alice.make('networks', { name: 'n' })
  const subnet = await alice.make('subnets', { network_id, ip_version: 4, cidr: '10.0.0.0/24' })
  return { ...cloud, alice, network_id, subnet }
}

test('a port gets a MAC, an address and the default group', async (t) => {
  const { as, alice, network_id, subnet } = await start(t)
  const port = await alice.make('ports', { network_id, name: 'p' })
  assert.match(port.mac_address, /^fa:16:3e(:[0-9a-f]{2}){3}$/)
  assert.equal(port.fixed_ips.length, 1)
  assert.equal(port.fixed_ips[0].subnet_id, subnet.id)
  assert.equal(port.status, 'DOWN')
  assert.equal(port.port_security_enabled, true)
  assert.equal('binding:host_id' in port, false)
  const [group] = (await alice.get('security-groups')).body.security_groups
  assert.equal(group.name, 'default')
  assert.deepEqual(port.security_groups, [group.id])
  assert.equal((await as('admin').get(`ports/${port.id}`)).body.port['binding:vif_type'], 'unbound')
  assert.equal((await as('bob').get(`ports/${port.id}`)).status, 404)
  assert.equal((await as('bob').post('ports', { port: { network_id } })).status, 404)
  assert.equal((await alice.delete(`ports/${port.id}`)).status, 204)
  assert.equal((await alice.get(`ports/${port.id}`)).status, 404)
})

test('addresses and MACs asked for by name', async (t) => {
  const { alice, network_id, subnet } = await start(t)
  const ip = (ip_address: string) => ({ network_id, fixed_ips: [{ ip_address }] })
  const port = await alice.make('ports', { ...ip('10.0.0.200'), mac_address: 'FA-16-3E-00-00-01' })
  assert.equal(port.mac_address, 'fa:16:3e:00:00:01')
  assert.equal(port.fixed_ips[0].ip_address, '10.0.0.200')
  const both = await alice.make('ports', {
    network_id,
    fixed_ips: [{ subnet_id: subnet.id }, { subnet_id: subnet.id }],
  })
  assert.equal(both.fixed_ips.length, 2)
  const cases: [object, number, string][] = [
    [ip('10.0.0.200'), 409, 'IpAddressAlreadyAllocated'],
    [ip('10.9.0.1'), 400, 'InvalidIpForNetwork'],
    [ip('10.0.0.255'), 400, 'InvalidIpForSubnet'],
    [ip('nonsense'), 400, 'HTTPBadRequest'],
    [{ network_id, fixed_ips: [{}] }, 400, 'InvalidInput'],
    [{ network_id, fixed_ips: [{ subnet_id: network_id }] }, 400, 'InvalidInput'],
    [{ network_id, mac_address: port.mac_address }, 409, 'MacAddressInUse'],
    [{ network_id, mac_address: '01:00:00:00:00:00' }, 400, 'HTTPBadRequest'],
    [{ network_id, security_groups: [network_id] }, 404, 'SecurityGroupNotFound'],
    [{ network_id, 'binding:host_id': 'h' }, 403, 'PolicyNotAuthorized'],
    [{ network_id, device_owner: 'network:dhcp', mac_address: port.mac_address }, 409, 'MacAddressInUse'],
    [{ network_id: subnet.id }, 404, 'NetworkNotFound'],
    [{ name: 'x' }, 400, 'HTTPBadRequest'],
  ]
  for (const [values, status, type] of cases) {
    const refused = await alice.post('ports', { port: values })
    assert.deepEqual([refused.status, refused.body.NeutronError.type], [status, type], JSON.stringify(values))
  }
})

test('filters by address, piece of it, subnet, group and MAC', async (t) => {
  const { alice, network_id, subnet } = await start(t)
  for (const end of [10, 11, 20]) {
    await alice.make('ports', { network_id, name: `p${end}`, fixed_ips: [{ ip_address: `10.0.0.${end}` }] })
  }
  const names = async (query: string) =>
    (await alice.get(`ports?sort_key=name&${query}`)).body.ports.map((p: { name: string }) => p.name)
  assert.deepEqual(await names('fixed_ips=ip_address=10.0.0.10'), ['p10'])
  assert.deepEqual(await names('fixed_ips=ip_address%3D10.0.0.10&fixed_ips=ip_address%3D10.0.0.20'), ['p10', 'p20'])
  assert.deepEqual(await names('fixed_ips=ip_address_substr=0.0.1'), ['p10', 'p11'])
  assert.deepEqual(await names(`fixed_ips=subnet_id=${subnet.id}`), ['p10', 'p11', 'p20'])
  assert.deepEqual(await names(`fixed_ips=subnet_id=${network_id}`), [])
  const [group] = (await alice.get('security-groups')).body.security_groups
  assert.deepEqual(await names(`security_groups=${group.id}&name=p20`), ['p20'])
  assert.deepEqual(await names('device_id='), ['p10', 'p11', 'p20'])
  assert.equal((await alice.get('ports?fixed_ips=colour=red')).status, 400)
})

test('an update keeps the addresses that still fit', async (t) => {
  const { as, alice, network_id, subnet } = await start(t)
  const second = await alice.make('subnets', { network_id, ip_version: 4, cidr: '10.1.0.0/24' })
  const port = await alice.make('ports', { network_id, fixed_ips: [{ subnet_id: subnet.id }] })
  const url = `ports/${port.id}`
  const both = [{ subnet_id: second.id }, { subnet_id: subnet.id }]
  const two = (await alice.put(url, { port: { fixed_ips: both } })).body.port
  assert.deepEqual(two.fixed_ips[1], port.fixed_ips[0])
  const one = (await alice.put(url, { port: { fixed_ips: [{ subnet_id: second.id }] } })).body.port
  assert.deepEqual(one.fixed_ips, [two.fixed_ips[0]])
  const off = { port_security_enabled: false, security_groups: [] }
  assert.equal((await alice.put(url, { port: { port_security_enabled: false } })).status, 409)
  assert.equal((await alice.put(url, { port: off })).body.port.port_security_enabled, false)
  assert.equal((await alice.put(url, { port: { mac_address: 'fa:16:3e:00:00:09' } })).status, 403)
  const moved = await as('admin').put(url, { port: { mac_address: 'fa:16:3e:00:00:09', 'binding:host_id': 'h1' } })
  assert.equal(moved.body.port.mac_address, 'fa:16:3e:00:00:09')
  assert.equal(moved.body.port['binding:vif_type'], 'bridge')
  const bound = await as('admin').put(url, { port: { mac_address: 'fa:16:3e:00:00:0a' } })
  assert.deepEqual([bound.status, bound.body.NeutronError.type], [409, 'PortBound'])
})

test('allowed address pairs', async (t) => {
  const { alice, network_id } = await start(t)
  const pairs = [{ ip_address: '10.0.0.77' }, { ip_address: '10.5.0.0/16', mac_address: 'fa:16:3e:01:01:01' }]
  const port = await alice.make('ports', { network_id, allowed_address_pairs: pairs })
  assert.deepEqual(port.allowed_address_pairs, [{ ...pairs[0], mac_address: port.mac_address }, pairs[1]])
  const twice = { port: { allowed_address_pairs: [pairs[0], pairs[0]] } }
  assert.equal((await alice.put(`ports/${port.id}`, twice)).body.NeutronError.type, 'DuplicateAddressPairInRequest')
  const open = { network_id, port_security_enabled: false, allowed_address_pairs: pairs }
  assert.equal((await alice.post('ports', { port: open })).body.NeutronError.type, 'AddressPairAndPortSecurityRequired')
})

test('IPv6: automatic addresses follow the MAC, others come from the pool', async (t) => {
  const { alice, network_id } = await start(t)
  const before = await alice.make('ports', { network_id, mac_address: 'fa:16:3e:00:00:02' })
  const slaac = { ipv6_address_mode: 'slaac', ipv6_ra_mode: 'slaac' }
  const six = await alice.make('subnets', { network_id, ip_version: 6, cidr: 'fd00:5::/64', ...slaac })
  const [, late] = (await alice.get(`ports/${before.id}`)).body.port.fixed_ips
  assert.deepEqual(late, { subnet_id: six.id, ip_address: 'fd00:5::f816:3eff:fe00:2' })
  const port = await alice.make('ports', { network_id, mac_address: 'fa:16:3e:00:00:03' })
  assert.equal(port.fixed_ips[1].ip_address, 'fd00:5::f816:3eff:fe00:3')
  const chosen = { network_id, fixed_ips: [{ subnet_id: six.id, ip_address: 'fd00:5::9' }] }
  assert.equal((await alice.post('ports', { port: chosen })).body.NeutronError.type, 'AllocationOnAutoAddressSubnet')
  assert.equal((await alice.delete(`subnets/${six.id}`)).status, 204)
  const pool = { allocation_pools: [{ start: 'fd00:6::a', end: 'fd00:6::a' }] }
  await alice.make('subnets', { network_id, ip_version: 6, cidr: 'fd00:6::/64', ...pool })
  assert.equal((await alice.make('ports', { network_id })).fixed_ips[1].ip_address, 'fd00:6::a')
  assert.equal(
    (await alice.post('ports', { port: { network_id } })).body.NeutronError.type,
    'IpAddressGenerationFailure',
  )
})
