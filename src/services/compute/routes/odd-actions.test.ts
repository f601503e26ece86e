import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latest, startComputeCloud } from '../../../../test/support/compute.ts'

test('what a container cannot is answered as upstream answers for a driver that cannot', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  assert.equal((await cloud.act('demo', id, { trigger_crash_dump: null }, {})).status, 400)
  const dump = await cloud.act('demo', id, { trigger_crash_dump: null })
  assert.equal(dump.status, 202)
  const path = `/v2.1/servers/${id}/os-instance-actions/${dump.headers['x-openstack-request-id']}`
  const { instanceAction } = (await cloud.as('admin').get('compute', path, latest)).body
  assert.deepEqual([instanceAction.message, instanceAction.events[0].result], ['Error', 'Error'])
  assert.equal((await cloud.act('demo', id, { injectNetworkInfo: null })).status, 403)
  assert.equal((await cloud.act('admin', id, { injectNetworkInfo: null })).status, 202)
  assert.equal((await cloud.act('admin', id, { resetNetwork: null })).status, 410)
  assert.equal((await cloud.show('demo', id)).status, 'ACTIVE')
})

test('volumes: none is attached, and none can be found', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  const demo = cloud.as('demo')
  const volumeId = '00000000-0000-4000-8000-000000000000'
  const path = `/v2.1/servers/${id}/os-volume_attachments`
  assert.deepEqual((await demo.get('compute', path)).body, { volumeAttachments: [] })
  for (const [method, url, body, status] of [
    ['POST', path, { volumeAttachment: { volumeId } }, 404],
    ['POST', path, { volumeAttachment: { volumeId: 'x' } }, 400],
    ['GET', `${path}/${volumeId}`, undefined, 404],
    ['PUT', `${path}/${volumeId}`, { volumeAttachment: { volumeId } }, 404],
    ['DELETE', `${path}/${volumeId}`, undefined, 404],
  ] as const)
    assert.equal((await demo.call(method, 'compute', url, body)).status, status, `${method} ${url}`)
})

test('the tags of the first NICs are shown with their interfaces', async (t) => {
  const cloud = await startComputeCloud(t)
  const demo = cloud.as('demo')
  const { body } = await demo.post('network', '/v2.0/networks', { network: { name: 'n' } })
  const subnet = { network_id: body.network.id, ip_version: 4, cidr: '10.1.0.0/24' }
  await demo.post('network', '/v2.0/subnets', { subnet })
  const uuid = body.network.id
  const id = await cloud.boot('demo', { networks: [{ uuid }, { uuid, tag: 'second' }] })
  const shown = async (headers: Record<string, string>) =>
    (await demo.get('compute', `/v2.1/servers/${id}/os-interface`, headers)).body.interfaceAttachments.map(
      ({ tag }: { tag?: string | null }) => tag,
    )
  assert.deepEqual(
    [await shown(latest), await shown({})],
    [
      [null, 'second'],
      [undefined, undefined],
    ],
  )
})
