import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { startNetwork } from '../test-support.ts'

interface Port {
  id: string
  mac_address: string
  fixed_ips: { ip_address: string }[]
}

eachDatabase((engine, open) => {
  test(`${engine}: ports made at once get an address each, until there are no more; released ones are used again`, async (t) => {
    const { as } = await startNetwork(t, { open })
    const alice = as('alice')
    const { id: network_id } = await alice.make('networks', { name: 'n' })
    // 61 addresses, the gateway apart.
    await alice.make('subnets', { network_id, ip_version: 4, cidr: '10.0.0.0/26' })
    const create = () => alice.post('ports', { port: { network_id } })
    const answers = await Promise.all(Array.from({ length: 50 }, create))
    assert.deepEqual(
      [...new Set(answers.map(({ status, body }) => (status === 201 ? 201 : JSON.stringify(body))))],
      [201],
    )
    const ports: Port[] = answers.map(({ body }) => body.port)
    assert.equal(new Set(ports.map((port) => port.fixed_ips[0]?.ip_address)).size, 50)
    assert.equal(new Set(ports.map((port) => port.mac_address)).size, 50)

    const rest = await Promise.all(Array.from({ length: 15 }, create))
    assert.equal(rest.filter(({ status }) => status === 201).length, 11)
    for (const { status, body } of rest) {
      if (status === 201) continue
      assert.deepEqual([status, body.NeutronError.type], [409, 'IpAddressGenerationFailure'])
    }
    const [first, second] = ports
    await Promise.all([alice.delete(`ports/${first!.id}`), alice.delete(`ports/${second!.id}`)])
    const again = await Promise.all([create(), create(), create()])
    assert.deepEqual(again.map(({ status }) => status).sort(), [201, 201, 409])
    const reused = again.flatMap(({ status, body }) => (status === 201 ? [body.port.fixed_ips[0].ip_address] : []))
    assert.deepEqual(reused.sort(), [first, second].map((port) => port!.fixed_ips[0]!.ip_address).sort())
  })

  test(`${engine}: two who want the same address, the same segment or the first default group`, async (t) => {
    const { as } = await startNetwork(t, { open })
    const [alice, admin] = [as('alice'), as('admin')]
    const segment = { network: { name: 's', 'provider:network_type': 'vxlan', 'provider:segmentation_id': 9 } }
    const networks = await Promise.all([admin.post('networks', segment), admin.post('networks', segment)])
    assert.deepEqual(networks.map(({ status }) => status).sort(), [201, 409])
    const lists = await Promise.all([1, 2, 3].map(() => alice.get('security-groups')))
    for (const { body } of lists) assert.equal(body.security_groups.length, 1)
    const { id: network_id } = await alice.make('networks', { name: 'n' })
    await alice.make('subnets', { network_id, ip_version: 4, cidr: '10.0.0.0/24' })
    const port = { port: { network_id, fixed_ips: [{ ip_address: '10.0.0.9' }] } }
    const answers = await Promise.all([1, 2, 3].map(() => alice.post('ports', port)))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409])
  })
})
