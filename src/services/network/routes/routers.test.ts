import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startNetwork, type TestNetwork } from '../test-support.ts'

/** An external network, and a tenant's network with a subnet. */
async function ground({ as }: TestNetwork) {
  const outside = await as('admin').make('networks', { name: 'outside', 'router:external': true })
  const range = { network_id: outside.id, ip_version: 4, cidr: '198.51.100.0/24' }
  const outsideSubnet = await as('admin').make('subnets', range)
  const alice = as('alice')
  const inside = await alice.make('networks', { name: 'inside' })
  const subnet = await alice.make('subnets', { network_id: inside.id, ip_version: 4, cidr: '10.0.0.0/24' })
  return { outside, outsideSubnet, inside, subnet, alice }
}

test('a router is made, shown, given a way out, and deleted', async (t) => {
  const cloud = await startNetwork(t)
  const { outside, outsideSubnet, inside, alice } = await ground(cloud)
  const router = await alice.make('routers', { name: 'r1', external_gateway_info: { network_id: outside.id } })
  assert.equal(router.status, 'ACTIVE')
  assert.equal('ha' in router, false)
  assert.equal(router.external_gateway_info.enable_snat, true)
  assert.equal(router.external_gateway_info.external_fixed_ips[0].subnet_id, outsideSubnet.id)
  const url = `routers/${router.id}`
  assert.deepEqual((await alice.get(url)).body.router, router)
  assert.equal((await cloud.as('admin').get(url)).body.router.ha, false)
  assert.equal((await cloud.as('bob').get(url)).status, 404)
  assert.equal((await cloud.as('rob').put(url, { router: { name: 'x' } })).status, 403)
  const [port] = (await cloud.as('admin').get(`ports?device_id=${router.id}`)).body.ports
  assert.equal(port.device_owner, 'network:router_gateway')
  assert.equal(port.project_id, '')
  const direct = await cloud.as('admin').delete(`ports/${port.id}`)
  assert.equal(direct.body.NeutronError.type, 'ServicePortInUse')

  const update = (values: object) => alice.put(url, { router: values })
  assert.equal((await update({ external_gateway_info: { network_id: outside.id, enable_snat: false } })).status, 403)
  const wrong = await update({ external_gateway_info: { network_id: inside.id } })
  assert.equal(wrong.status, 400)
  assert.match(wrong.body.NeutronError.message, /is not an external network/)
  assert.equal((await update({ external_gateway_info: { network_id: router.id } })).status, 404)
  const closed = await update({ name: 'r2', admin_state_up: false, external_gateway_info: {} })
  assert.equal(closed.body.router.external_gateway_info, null)
  assert.equal(closed.body.router.name, 'r2')
  assert.ok(closed.body.router.revision_number > router.revision_number)
  assert.deepEqual((await cloud.as('admin').get(`ports?device_id=${router.id}`)).body.ports, [])
  const chosen = { network_id: outside.id, enable_snat: false, external_fixed_ips: [{ ip_address: '198.51.100.77' }] }
  const reopened = await cloud.as('admin').put(url, { router: { external_gateway_info: chosen } })
  assert.deepEqual(reopened.body.router.external_gateway_info, {
    ...chosen,
    external_fixed_ips: [{ subnet_id: outsideSubnet.id, ip_address: '198.51.100.77' }],
  })
  assert.equal((await alice.get('routers?name=r2')).body.routers.length, 1)
  assert.equal((await alice.delete(url)).status, 204)
  assert.equal((await alice.get(url)).body.NeutronError.type, 'RouterNotFound')
  assert.equal((await cloud.as('admin').delete(`networks/${outside.id}`)).status, 204)
})

test('interfaces by subnet and by port; what is in use stays', async (t) => {
  const cloud = await startNetwork(t)
  const { inside, subnet, alice } = await ground(cloud)
  const router = await alice.make('routers', { name: 'r1' })
  const act = (verb: string, body: object) => alice.put(`routers/${router.id}/${verb}_router_interface`, body)
  const added = await act('add', { subnet_id: subnet.id })
  assert.equal(added.status, 200)
  assert.equal(added.body.network_id, inside.id)
  assert.deepEqual(added.body.subnet_ids, [subnet.id])
  const { port } = (await alice.get(`ports/${added.body.port_id}`)).body
  assert.equal(port.device_owner, 'network:router_interface')
  assert.equal(port.fixed_ips[0].ip_address, '10.0.0.1')

  const twin = await alice.make('networks', { name: 'twin' })
  const overlapping = await alice.make('subnets', { network_id: twin.id, ip_version: 4, cidr: '10.0.0.0/16' })
  const cases: [Promise<{ status: number; body: { NeutronError: { type: string } } }>, number, string][] = [
    [act('add', { subnet_id: subnet.id }), 400, 'BadRequest'],
    [act('add', { subnet_id: overlapping.id }), 400, 'BadRequest'],
    [act('add', {}), 400, 'BadRequest'],
    [act('add', { subnet_id: 'x' }), 400, 'BadRequest'],
    [act('add', { subnet_id: router.id }), 404, 'SubnetNotFound'],
    [act('remove', { subnet_id: overlapping.id }), 404, 'RouterInterfaceNotFoundForSubnet'],
    [act('remove', { port_id: router.id }), 404, 'RouterInterfaceNotFound'],
    [act('add', { port_id: port.id }), 409, 'PortInUse'],
    [alice.delete(`routers/${router.id}`), 409, 'RouterInUse'],
    [alice.delete(`subnets/${subnet.id}`), 409, 'SubnetInUse'],
    [alice.delete(`ports/${port.id}`), 409, 'ServicePortInUse'],
  ]
  for (const [answer, status, type] of cases) {
    assert.deepEqual([(await answer).status, (await answer).body.NeutronError.type], [status, type])
  }
  assert.equal((await cloud.as('bob').put(`routers/${router.id}/add_router_interface`, {})).status, 404)
  assert.equal((await act('remove', { subnet_id: subnet.id })).status, 200)
  assert.equal((await alice.get(`ports/${port.id}`)).status, 404)
  const own = await alice.make('ports', { network_id: inside.id })
  assert.equal((await act('add', { port_id: own.id })).body.port_id, own.id)
  assert.equal((await act('remove', { port_id: own.id })).status, 200)
  assert.equal((await alice.delete(`routers/${router.id}`)).status, 204)
})

test('a port cannot make itself an end of another project’s router', async (t) => {
  const cloud = await startNetwork(t)
  const { alice } = await ground(cloud)
  const router = await alice.make('routers', { name: 'r1' })
  const bob = cloud.as('bob')
  const network = await bob.make('networks', { name: 'b' })
  await bob.make('subnets', { network_id: network.id, ip_version: 4, cidr: '10.7.0.0/24' })
  const end = { device_owner: 'network:router_interface', device_id: router.id }
  const refused = await bob.post('ports', { port: { network_id: network.id, ...end } })
  assert.deepEqual([refused.status, refused.body.NeutronError.type], [409, 'DeviceIDNotOwnedByTenant'])
  const port = await bob.make('ports', { network_id: network.id })
  assert.equal((await bob.put(`ports/${port.id}`, { port: end })).status, 409)
})

test('IPv6 prefixes of a network share one port, also those with automatic addresses', async (t) => {
  const cloud = await startNetwork(t)
  const { inside, alice } = await ground(cloud)
  const router = await alice.make('routers', { name: 'r1' })
  const modes = { ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' }
  const six = { network_id: inside.id, ip_version: 6 }
  const one = await alice.make('subnets', { ...six, cidr: 'fd00:1::/64' })
  const two = await alice.make('subnets', { ...six, ...modes, cidr: 'fd00:2::/64' })
  const add = async (subnet: { id: string }) =>
    (await alice.put(`routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })).body
  assert.equal((await add(one)).port_id, (await add(two)).port_id)
  const foreign = await alice.make('subnets', { ...six, ipv6_address_mode: 'slaac', cidr: 'fd00:3::/64' })
  assert.match((await add(foreign)).NeutronError.message, /configured to receive RAs from an external router/)
  assert.equal((await alice.delete(`subnets/${two.id}`)).status, 409)
  const { body } = await alice.put(`routers/${router.id}/remove_router_interface`, { subnet_id: two.id })
  assert.deepEqual(body.subnet_ids, [two.id])
  const { fixed_ips } = (await alice.get(`ports/${body.port_id}`)).body.port
  assert.deepEqual(fixed_ips, [{ subnet_id: one.id, ip_address: 'fd00:1::1' }])
})

test('extra routes', async (t) => {
  const cloud = await startNetwork(t)
  const { subnet, alice } = await ground(cloud)
  const router = await alice.make('routers', { name: 'r1' })
  await alice.put(`routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
  const routes = [{ destination: '10.9.0.0/16', nexthop: '10.0.0.9' }]
  const set = (wanted: unknown) => alice.put(`routers/${router.id}`, { router: { routes: wanted } })
  assert.deepEqual((await set(routes)).body.router.routes, routes)
  for (const nexthop of ['192.0.2.1', '10.0.0.1']) {
    const refused = await set([{ destination: '10.9.0.0/16', nexthop }])
    assert.deepEqual([refused.status, refused.body.NeutronError.type], [400, 'InvalidRoutes'])
  }
  const held = await alice.put(`routers/${router.id}/remove_router_interface`, { subnet_id: subnet.id })
  assert.equal(held.body.NeutronError.type, 'RouterInterfaceInUseByRoute')
  const more = { router: { routes: [{ destination: '10.8.0.0/16', nexthop: '10.0.0.9' }, ...routes] } }
  assert.equal((await alice.put(`routers/${router.id}/add_extraroutes`, more)).body.router.routes.length, 2)
  assert.deepEqual((await alice.put(`routers/${router.id}/remove_extraroutes`, more)).body.router.routes, [])
  assert.deepEqual((await set(null)).body.router.routes, [])
})

test('floating IPs lead to a port through a router', async (t) => {
  const cloud = await startNetwork(t)
  const { outside, outsideSubnet, inside, subnet, alice } = await ground(cloud)
  const port = await alice.make('ports', { network_id: inside.id })
  const make = (values: object) =>
    alice.post('floatingips', { floatingip: { floating_network_id: outside.id, ...values } })
  const early = await make({ port_id: port.id })
  assert.deepEqual([early.status, early.body.NeutronError.type], [404, 'ExternalGatewayForFloatingIPNotFound'])
  assert.equal((await make({ floating_network_id: inside.id })).status, 400)
  assert.equal((await make({ floating_ip_address: '198.51.100.9' })).status, 403)
  assert.equal((await make({ fixed_ip_address: '10.0.0.9' })).status, 400)

  const router = await alice.make('routers', { external_gateway_info: { network_id: outside.id } })
  await alice.put(`routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
  const { floatingip } = (await make({ port_id: port.id, subnet_id: outsideSubnet.id })).body
  assert.equal(floatingip.status, 'DOWN')
  assert.equal(floatingip.router_id, router.id)
  assert.equal(floatingip.fixed_ip_address, port.fixed_ips[0].ip_address)
  assert.equal(floatingip.port_details.network_id, inside.id)
  const again = await make({ port_id: port.id })
  assert.deepEqual([again.status, again.body.NeutronError.type], [409, 'FloatingIPPortAlreadyAssociated'])

  cloud.addHost('node1')
  await cloud.ground.bus.idle()
  await cloud.settle()
  const url = `floatingips/${floatingip.id}`
  assert.equal((await alice.get(url)).body.floatingip.status, 'ACTIVE')
  assert.equal((await alice.get(`ports?device_id=${router.id}`)).body.ports[0].status, 'ACTIVE')
  const remove = await alice.put(`routers/${router.id}/remove_router_interface`, { subnet_id: subnet.id })
  assert.equal(remove.body.NeutronError.type, 'RouterInterfaceInUseByFloatingIP')
  const close = await alice.put(`routers/${router.id}`, { router: { external_gateway_info: null } })
  assert.equal(close.body.NeutronError.type, 'RouterExternalGatewayInUseByFloatingIp')
  assert.equal((await alice.get(`floatingips?router_id=${router.id}`)).body.floatingips.length, 1)
  assert.equal((await cloud.as('bob').get(url)).status, 404)

  const told = await alice.put(url, { floatingip: { description: 'mine' } })
  assert.equal(told.body.floatingip.port_id, port.id)
  assert.equal(told.body.floatingip.status, 'ACTIVE')
  assert.equal((await alice.delete(`ports/${port.id}`)).status, 204)
  const freed = (await alice.get(url)).body.floatingip
  assert.deepEqual([freed.port_id, freed.router_id, freed.status], [null, null, 'DOWN'])
  const next = await alice.make('ports', { network_id: inside.id })
  assert.equal((await alice.put(url, { floatingip: { port_id: next.id } })).body.floatingip.router_id, router.id)
  assert.equal((await alice.put(url, { floatingip: { port_id: null } })).body.floatingip.router_id, null)
  assert.equal((await alice.delete(url)).status, 204)
  const given = { floating_network_id: outside.id, floating_ip_address: '198.51.100.9', project_id: 'alice' }
  const chosen = await cloud.as('admin').make('floatingips', given)
  assert.equal(chosen.floating_ip_address, '198.51.100.9')
  assert.equal((await cloud.as('admin').post('floatingips', { floatingip: given })).status, 409)
})

test('quotas for routers and floating IPs', async (t) => {
  const cloud = await startNetwork(t)
  const { outside, alice } = await ground(cloud)
  const { quota } = (await alice.get('quotas/alice')).body
  assert.deepEqual([quota.router, quota.floatingip], [10, 50])
  await cloud.as('admin').put('quotas/alice', { quota: { router: 0, floatingip: 0 } })
  assert.equal((await alice.post('routers', { router: {} })).body.NeutronError.type, 'OverQuota')
  const floatingip = { floating_network_id: outside.id }
  assert.equal((await alice.post('floatingips', { floatingip })).body.NeutronError.type, 'OverQuota')
})
