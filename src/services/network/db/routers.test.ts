import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { type RouterOrder, subjects } from '../messages.ts'
import { startNetwork } from '../test-support.ts'

eachDatabase((engine, open) => {
  test(`${engine}: a router is placed, ordered whole, ordered again by what changes around it, and taken away`, async (t) => {
    const cloud = await startNetwork(t, { open })
    const { bus, database } = cloud.ground
    const told: RouterOrder[] = []
    const carried: string[] = []
    bus.subscribe<RouterOrder>(subjects.router('node1'), (order) => void told.push(order))
    bus.subscribe<{ networkId: string; wish: string }>(subjects.network('node1'), ({ networkId, wish }) => {
      carried.push(`${networkId} ${wish}`)
    })
    const [admin, alice] = [cloud.as('admin'), cloud.as('alice')]
    const outside = await admin.make('networks', { name: 'outside', 'router:external': true })
    await admin.make('subnets', { network_id: outside.id, ip_version: 4, cidr: '198.51.100.0/24' })
    const inside = await alice.make('networks', { name: 'inside' })
    const subnet = await alice.make('subnets', { network_id: inside.id, ip_version: 4, cidr: '10.0.0.0/24' })
    const router = await alice.make('routers', { external_gateway_info: { network_id: outside.id } })
    await alice.put(`routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
    cloud.addHost('node1')
    await bus.idle()
    await cloud.settle()

    assert.ok(carried.includes(`${inside.id} present`), 'a network with a router is there without servers')
    const order = told.at(-1)!
    assert.deepEqual(
      order.interfaces.map((end) => [end.networkId, end.addresses, end.mtu, end.adminStateUp]),
      [[inside.id, ['10.0.0.1/24'], 1450, true]],
    )
    assert.deepEqual([order.gateway?.nextHops, order.gateway?.snat], [['198.51.100.1'], true])
    const address = router.external_gateway_info.external_fixed_ips[0].ip_address
    assert.deepEqual(order.gateway?.addresses, [`${address}/24`])

    const make = () => alice.post('floatingips', { floatingip: { floating_network_id: outside.id } })
    const made = await Promise.all(Array.from({ length: 12 }, make))
    const addresses = made.map(({ body }) => body.floatingip.floating_ip_address)
    assert.equal(new Set([...addresses, address]).size, 13)
    const port = await alice.make('ports', { network_id: inside.id })
    await alice.put(`floatingips/${made[0]!.body.floatingip.id}`, { floatingip: { port_id: port.id } })
    await cloud.settle()
    const fixedIpAddress = port.fixed_ips[0].ip_address
    assert.deepEqual(told.at(-1)?.floatingIps, [{ floatingIpAddress: addresses[0], fixedIpAddress }])
    const before = told.length
    await admin.put(`networks/${inside.id}`, { network: { mtu: 1400 } })
    await cloud.settle()
    assert.deepEqual([told.length, told.at(-1)?.interfaces[0]?.mtu], [before + 1, 1400])

    await alice.delete(`ports/${port.id}`)
    await alice.put(`routers/${router.id}/remove_router_interface`, { subnet_id: subnet.id })
    assert.equal((await alice.delete(`routers/${router.id}`)).status, 204)
    await cloud.settle()
    assert.equal(told.at(-1)?.wish, 'absent')
    assert.deepEqual(await database.read.selectFrom('network_gone_routers').selectAll().execute(), [])
    assert.equal((await admin.delete(`networks/${outside.id}`)).status, 204, 'unused floating IPs go with it')
    assert.deepEqual((await alice.get('floatingips')).body.floatingips, [])
  })
})
