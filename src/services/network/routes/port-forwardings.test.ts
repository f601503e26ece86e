import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type RouterOrder, subjects } from '../messages.ts'
import { startNetwork } from '../test-support.ts'

test('ports of a floating IP lead to ports of several servers', async (t) => {
  const cloud = await startNetwork(t)
  const [admin, alice] = [cloud.as('admin'), cloud.as('alice')]
  const told: RouterOrder[] = []
  cloud.ground.bus.subscribe<RouterOrder>(subjects.router('node1'), (order) => void told.push(order))
  cloud.addHost('node1')
  const outside = await admin.make('networks', { 'router:external': true })
  await admin.make('subnets', { network_id: outside.id, ip_version: 4, cidr: '198.51.100.0/24' })
  const { id: network_id } = await alice.make('networks', {})
  const subnet = await alice.make('subnets', { network_id, ip_version: 4, cidr: '10.0.0.0/24' })
  const router = await alice.make('routers', { external_gateway_info: { network_id: outside.id } })
  await alice.put(`routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
  const floating = (await alice.post('floatingips', { floatingip: { floating_network_id: outside.id } })).body
    .floatingip
  const [one, two] = [await alice.make('ports', { network_id }), await alice.make('ports', { network_id })]
  const url = `floatingips/${floating.id}/port_forwardings`
  const forward = async (port: typeof one, values: object) => {
    const port_forwarding = { internal_port_id: port.id, protocol: 'tcp', ...values }
    const { status, body } = await alice.post(url, { port_forwarding })
    return status === 201 ? body.port_forwarding : `${status} ${body.NeutronError.type}`
  }
  const made = await forward(one, { external_port: 2222, internal_port: 22 })
  assert.deepEqual([made.external_port, made.internal_ip_address], [2222, one.fixed_ips[0].ip_address])
  assert.equal(await forward(two, { external_port: 2222, internal_port: 80 }), '400 BadRequest')
  assert.equal(await forward(one, { external_port: 2223, internal_port: 22 }), '400 BadRequest')
  assert.equal(await forward(two, { external_port: 108_343, internal_port: 22 }), '400 HTTPBadRequest')
  assert.equal(await forward(two, { external_port: 80, internal_port: 80, protocol: 'icmp' }), '400 HTTPBadRequest')
  assert.equal(await forward(two, { external_port_range: '8000:8003', internal_port_range: '90:91' }), '400 BadRequest')
  const range = await forward(two, { external_port_range: '8000:8003', internal_port_range: '90:93', protocol: 'udp' })
  assert.deepEqual([range.external_port_range, range.internal_port_range], ['8000:8003', '90:93'])
  await cloud.settle()
  assert.deepEqual(told.at(-1)?.floatingIps, [])
  assert.deepEqual(
    told
      .at(-1)
      ?.portForwardings?.map((rule) => [rule.protocol, rule.externalFirst, rule.externalLast, rule.internalFirst]),
    [
      ['tcp', 2222, 2222, 22],
      ['udp', 8000, 8003, 90],
    ],
  )
  const shown = (await alice.get(`floatingips/${floating.id}`)).body.floatingip
  assert.deepEqual([shown.router_id, shown.port_id, shown.status], [router.id, null, 'ACTIVE'])
  assert.equal(shown.port_forwardings.length, 2)

  const types = async (answer: Promise<{ status: number; body: { NeutronError?: { type: string } } | null }>) =>
    (await answer).body?.NeutronError?.type
  assert.equal(await types(alice.delete(`floatingips/${floating.id}`)), 'FipInUseByPortForwarding')
  const move = alice.put(`floatingips/${floating.id}`, { floatingip: { port_id: one.id } })
  assert.equal(await types(move), 'FipInUseByPortForwarding')
  const other = { floating_network_id: outside.id, port_id: one.id }
  assert.equal(await types(alice.post('floatingips', { floatingip: other })), 'PortHasPortForwarding')
  const leave = alice.put(`routers/${router.id}/remove_router_interface`, { subnet_id: subnet.id })
  assert.equal(await types(leave), 'RouterInterfaceInUseByFloatingIP')
  assert.equal((await cloud.as('bob').get(url)).status, 404)
  const changed = await alice.put(`${url}/${made.id}`, {
    port_forwarding: { internal_port: 23, description: 'telnet' },
  })
  assert.deepEqual([changed.body.port_forwarding.internal_port, changed.body.port_forwarding.external_port], [23, 2222])
  assert.equal((await alice.delete(`ports/${two.id}`)).status, 204)
  assert.equal((await alice.get(url)).body.port_forwardings.length, 1, 'what leads to a port goes with it')
  assert.equal((await alice.delete(`${url}/${made.id}`)).status, 204)
  assert.equal((await alice.get(`${url}/${made.id}`)).status, 404)
  assert.equal((await alice.get(`floatingips/${floating.id}`)).body.floatingip.router_id, null)
  assert.equal((await alice.delete(`floatingips/${floating.id}`)).status, 204)
})
