import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latest, startComputeCloud } from '../../../../test/support/compute.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { ServerOrder } from '../messages.ts'

async function startNetworkedCloud(t: Parameters<typeof startComputeCloud>[0], options = {}) {
  const cloud = await startComputeCloud(t, options)
  const demo = cloud.as('demo')
  const network = async (cidr: string): Promise<string> => {
    const made = await demo.post('network', '/v2.0/networks', { network: { name: cidr } })
    const networkId = made.body.network.id as string
    const subnet = { network_id: networkId, ip_version: 4, cidr }
    assert.equal((await demo.post('network', '/v2.0/subnets', { subnet })).status, 201)
    return networkId
  }
  const path = (id: string, port = '') => `/v2.1/servers/${id}/os-interface${port && `/${port}`}`
  return {
    ...cloud,
    network,
    ports: async (id: string) => (await demo.get('compute', path(id), latest)).body.interfaceAttachments,
    attach: (id: string, wanted: object) => demo.post('compute', path(id), { interfaceAttachment: wanted }, latest),
    detach: (id: string, port: string) => demo.delete('compute', path(id, port)),
    one: (id: string, port: string) => demo.get('compute', path(id, port), latest),
    nics: async (id: string) =>
      (await cloud.drivers[0]!.diagnostics(id, AbortSignal.timeout(9000))).nics.map((nic) => nic.macAddress),
  }
}

test('NICs come and go while a server runs, by network, port and address', async (t) => {
  const cloud = await startNetworkedCloud(t)
  const [a, b] = [await cloud.network('10.1.0.0/24'), await cloud.network('10.2.0.0/24')]
  const id = await cloud.boot('demo', { networks: [{ uuid: a }] })
  const [first] = await cloud.ports(id)
  assert.equal(first.net_id, a)

  const made = await cloud.attach(id, { net_id: b, fixed_ips: [{ ip_address: '10.2.0.9' }], tag: 'inner' })
  assert.equal(made.status, 200, JSON.stringify(made.body))
  const second = made.body.interfaceAttachment
  assert.deepEqual([second.net_id, second.fixed_ips[0].ip_address, second.tag], [b, '10.2.0.9', 'inner'])
  const wanted = await cloud.as('demo').post('network', '/v2.0/ports', { port: { network_id: a } })
  const own = wanted.body.port.id as string
  assert.equal((await cloud.attach(id, { port_id: own })).status, 200)
  await cloud.settle()
  const all = await cloud.ports(id)
  assert.deepEqual(
    all.map((port: { port_id: string }) => port.port_id),
    [first.port_id, second.port_id, own],
  )
  assert.equal((await cloud.one(id, own)).body.interfaceAttachment.port_state, 'ACTIVE')
  assert.deepEqual(
    await cloud.nics(id),
    all.map((port: { mac_addr: string }) => port.mac_addr),
  )
  assert.deepEqual(Object.keys((await cloud.show('demo', id)).addresses).length, 2)

  // One in the middle: what compute made is deleted, what was the user's is free again.
  for (const port of [second.port_id, own]) {
    assert.equal((await cloud.detach(id, port)).status, 202)
    assert.equal((await cloud.detach(id, port)).status, 202, 'asked for twice')
    await cloud.settle()
    assert.equal((await cloud.one(id, port)).status, 404)
  }
  assert.deepEqual(await cloud.nics(id), [first.mac_addr])
  assert.equal((await cloud.as('demo').get('network', `/v2.0/ports/${second.port_id}`)).status, 404)
  assert.equal((await cloud.as('demo').get('network', `/v2.0/ports/${own}`)).body.port.device_id, '')
  assert.equal((await cloud.show('demo', id)).status, 'ACTIVE')

  const { body } = await cloud.as('admin').get('compute', `/v2.1/servers/${id}/os-instance-actions`, latest)
  const actions = body.instanceActions.map(({ action }: { action: string }) => action)
  assert.deepEqual(actions.slice(0, 3), ['detach_interface', 'detach_interface', 'attach_interface'])
  const of = `/v2.1/servers/${id}/os-instance-actions/${body.instanceActions[0].request_id}`
  const { instanceAction } = (await cloud.as('admin').get('compute', of, latest)).body
  assert.deepEqual(
    instanceAction.events.map((event: { event: string; result: string }) => [event.event, event.result]),
    [['compute_detach_interface', 'Success']],
  )
})

test('what cannot be attached is refused in Nova’s words', async (t) => {
  const cloud = await startNetworkedCloud(t)
  const [a] = [await cloud.network('10.1.0.0/24'), await cloud.network('10.2.0.0/24')]
  const id = await cloud.boot('demo', { networks: [{ uuid: a }] })
  const [{ port_id, fixed_ips }] = await cloud.ports(id)
  const absent = '00000000-0000-4000-8000-000000000000'
  const cases: [wanted: object, status: number, message: RegExp][] = [
    [{ net_id: a, port_id }, 400, /both network_id and port_id/],
    [{ fixed_ips: [{ ip_address: '10.1.0.7' }] }, 400, /network_id when request IP/],
    [{ net_id: a, fixed_ips: [{ ip_address: fixed_ips[0].ip_address }] }, 409, /already in use/],
    [{ port_id }, 409, /still in use/],
    [{ port_id: absent }, 404, /could not be found/],
    [{ net_id: absent }, 404, /could not be found/],
    [{}, 400, /Multiple possible networks/],
    [{ net_id: 'x' }, 400, /net_id/],
  ]
  for (const [wanted, status, message] of cases) {
    const { status: got, body } = await cloud.attach(id, wanted)
    assert.equal(got, status, JSON.stringify([wanted, body]))
    assert.match((Object.values(body)[0] as { message: string }).message, message)
  }
  assert.equal((await cloud.detach(id, absent)).status, 404)
  await cloud.act('demo', id, { suspend: null })
  await cloud.settle()
  assert.equal((await cloud.attach(id, { net_id: a })).status, 409)
  assert.equal((await cloud.ports(id)).length, 1)
})

test('a NIC that the host refuses is given up, and the server stays as it was', async (t) => {
  let refuse: string | null = null
  const fail = (order: ServerOrder) =>
    refuse !== null && order.ports.length === 2 ? new CloudError('internal', refuse) : null
  const cloud = await startNetworkedCloud(t, { hosts: [{ fail }] })
  const a = await cloud.network('10.1.0.0/24')
  const id = await cloud.boot('demo', { networks: [{ uuid: a }] })
  refuse = 'no more cables'
  const made = await cloud.attach(id, { net_id: a })
  await cloud.settle()
  const server = await cloud.show('demo', id)
  assert.deepEqual([server.status, server['OS-EXT-STS:task_state'], server.fault], ['ACTIVE', null, undefined])
  assert.equal((await cloud.ports(id)).length, 1)
  const path = `/v2.1/servers/${id}/os-instance-actions/${made.headers['x-openstack-request-id']}`
  const { instanceAction } = (await cloud.as('admin').get('compute', path, latest)).body
  assert.equal(instanceAction.events[0].result, 'Error')
  assert.match(instanceAction.events[0].details, /no more cables/)
})

test('addresses are added and removed until 2.43', async (t) => {
  const cloud = await startNetworkedCloud(t)
  const a = await cloud.network('10.1.0.0/24')
  const id = await cloud.boot('demo', { networks: [{ uuid: a }] })
  const addresses = async () =>
    (await cloud.ports(id))[0].fixed_ips.map((ip: { ip_address: string }) => ip.ip_address) as string[]
  const [kept] = await addresses()
  assert.equal((await cloud.act('demo', id, { addFixedIp: { networkId: a } }, {})).status, 202)
  await cloud.settle()
  const [, added, ...rest] = await addresses()
  assert.ok(added && rest.length === 0)
  assert.equal((await cloud.act('demo', id, { removeFixedIp: { address: added } }, {})).status, 202)
  await cloud.settle()
  assert.deepEqual(await addresses(), [kept])
  assert.equal((await cloud.act('demo', id, { removeFixedIp: { address: added } }, {})).status, 400)
  assert.equal((await cloud.act('demo', id, { addFixedIp: { networkId: a } })).status, 404)
})
