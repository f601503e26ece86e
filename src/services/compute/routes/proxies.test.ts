import assert from 'node:assert/strict'
import test from 'node:test'
import { type ComputeCloud, startComputeCloud } from '../../../../test/support/compute.ts'

const old = { 'openstack-api-version': 'compute 2.1' }
const at = (version: string) => ({ 'openstack-api-version': `compute ${version}` })

test('images are proxied until 2.35, their metadata until 2.38', async (t) => {
  const cloud = await startComputeCloud(t)
  const admin = cloud.as('admin')
  const path = `/v2.1/images/${cloud.imageId}`
  const { image } = (await admin.get('compute', path, old)).body
  assert.deepEqual(
    { id: image.id, status: image.status, progress: image.progress, minDisk: image.minDisk },
    { id: cloud.imageId, status: 'ACTIVE', progress: 100, minDisk: 0 },
  )
  const listed = (await admin.get('compute', '/v2.1/images/detail?status=ACTIVE&limit=1', old)).body
  assert.deepEqual([listed.images.length, listed.images_links[0].rel], [1, 'next'])
  assert.equal((await admin.get('compute', '/v2.1/images?name=nothing', old)).body.images.length, 0)
  assert.equal((await admin.get('compute', path, at('2.36'))).status, 404)
  assert.equal((await admin.get('compute', '/v2.1/images/no-such', old)).status, 404)

  const meta = `${path}/metadata`
  assert.equal((await admin.put('compute', meta, { metadata: { a: '1', 'b.c': '2' } }, at('2.38'))).status, 200)
  const added = await admin.post('compute', meta, { metadata: { a: '3', d: '4' } }, old)
  assert.deepEqual(added.body.metadata, { a: '3', 'b.c': '2', d: '4' })
  assert.equal((await admin.put('compute', `${meta}/d`, { meta: { e: 'x' } }, old)).status, 400)
  assert.equal((await admin.put('compute', `${meta}/d`, { meta: { d: '5' } }, old)).status, 200)
  assert.deepEqual((await admin.get('compute', `${meta}/d`, old)).body, { meta: { d: '5' } })
  assert.equal((await admin.delete('compute', `${meta}/a`)).status, 204)
  assert.equal((await admin.delete('compute', `${meta}/a`)).status, 404)
  assert.deepEqual((await admin.get('compute', meta, old)).body.metadata, { 'b.c': '2', d: '5' })
  // What Image refuses to a stranger is refused here in the same way.
  assert.equal((await cloud.as('demo').put('compute', meta, { metadata: {} }, old)).status, 403)
  assert.equal((await cloud.as('demo').delete('compute', path)).status, 403)
  assert.equal((await admin.get('compute', meta, at('2.39'))).status, 404)
})

async function withNetworks(cloud: ComputeCloud) {
  const admin = cloud.as('admin')
  const network = async (wanted: object) =>
    (await admin.post('network', '/v2.0/networks', { network: wanted })).body.network
  const outside = await network({ name: 'outside', 'router:external': true })
  const inside = await network({ name: 'inside' })
  const subnet = async (network_id: string, cidr: string) =>
    (await admin.post('network', '/v2.0/subnets', { subnet: { network_id, cidr, ip_version: 4 } })).body.subnet
  await subnet(outside.id, '203.0.113.0/29')
  const { id } = await subnet(inside.id, '10.9.0.0/24')
  const wanted = { name: 'r', external_gateway_info: { network_id: outside.id } }
  const { router } = (await admin.post('network', '/v2.0/routers', { router: wanted })).body
  const added = await admin.put('network', `/v2.0/routers/${router.id}/add_router_interface`, { subnet_id: id })
  assert.equal(added.status, 200, JSON.stringify(added.body))
  return inside.id as string
}

test('networks and floating IPs are proxied until 2.35, the actions until 2.43', async (t) => {
  const cloud = await startComputeCloud(t)
  const admin = cloud.as('admin')
  const inside = await withNetworks(cloud)
  const { networks } = (await admin.get('compute', '/v2.1/os-networks', old)).body
  assert.deepEqual(networks.map((n: { label: string }) => n.label).sort(), ['inside', 'outside'])
  assert.equal(networks[0].bridge, null, 'an administrator sees every field there once was')
  assert.deepEqual((await admin.get('compute', `/v2.1/os-tenant-networks/${inside}`, old)).body.network, {
    ...{ id: inside, label: 'inside', cidr: 'None' },
  })
  assert.equal((await cloud.as('demo').get('compute', `/v2.1/os-networks/${inside}`, old)).status, 404)
  assert.equal((await admin.post('compute', '/v2.1/os-networks', {}, old)).status, 410)

  const pools = await admin.get('compute', '/v2.1/os-floating-ip-pools', old)
  assert.deepEqual(pools.body.floating_ip_pools, [{ name: 'outside' }])
  assert.equal((await admin.post('compute', '/v2.1/os-floating-ips', { pool: 'none' }, old)).status, 404)
  const made = (await admin.post('compute', '/v2.1/os-floating-ips', { pool: 'outside' }, old)).body.floating_ip
  assert.deepEqual([made.pool, made.instance_id, made.fixed_ip], ['outside', null, null])
  const id = await cloud.boot('admin', { networks: [{ uuid: inside }] })
  const add = { addFloatingIp: { address: made.ip } }
  assert.equal((await cloud.act('admin', id, add)).status, 404, 'not at 2.93')
  assert.equal((await cloud.act('admin', id, { addFloatingIp: { address: '1.2.3.4' } }, old)).status, 404)
  const added = await cloud.act('admin', id, add, at('2.43'))
  assert.equal(added.status, 202, JSON.stringify(added.body))
  const path = `/v2.1/os-floating-ips/${made.id}`
  assert.equal((await admin.get('compute', path, old)).body.floating_ip.instance_id, id)
  const remove = { removeFloatingIp: { address: made.ip } }
  assert.equal((await cloud.act('admin', id, remove, old)).status, 202)
  assert.equal((await cloud.act('admin', id, remove, old)).status, 409)
  assert.equal((await admin.delete('compute', path)).status, 202)
  assert.equal((await admin.get('compute', path, old)).status, 404)
  assert.equal((await admin.get('compute', path, at('2.36'))).status, 404)
})

test('hosts, events, the audit log, and what is gone', async (t) => {
  const cloud = await startComputeCloud(t)
  const admin = cloud.as('admin')
  const id = await cloud.boot('demo')
  assert.equal((await cloud.act('demo', id, { addSecurityGroup: { name: 'default' } })).status, 404, 'it has no NICs')
  const { host } = (await admin.get('compute', '/v2.1/os-hosts/host1', old)).body
  assert.deepEqual(
    host.map(({ resource }: { resource: { project: string; cpu: number } }) => resource.project),
    ['(total)', '(used_now)', '(used_max)', cloud.as('demo').projectId],
  )
  const put = (body: object) => admin.put('compute', '/v2.1/os-hosts/host1', body, old)
  assert.deepEqual((await put({ status: 'disable' })).body, { host: 'host1', status: 'disabled' })
  assert.equal((await admin.get('compute', '/v2.1/os-services', old)).body.services[0].status, 'disabled')
  assert.equal((await put({ maintenance_mode: 'enable' })).status, 501)
  assert.equal((await put({ status: 'wait' })).status, 400)
  assert.equal((await admin.get('compute', '/v2.1/os-hosts/host1/reboot', old)).status, 501)
  assert.equal((await admin.get('compute', '/v2.1/os-hosts/other/reboot', old)).status, 404)
  assert.equal((await admin.get('compute', '/v2.1/os-hosts', at('2.43'))).status, 404)

  const event = { server_uuid: id, name: 'network-changed' }
  const tell = (events: object[], headers = old) =>
    admin.post('compute', '/v2.1/os-server-external-events', { events }, headers)
  const told = await tell([event])
  assert.deepEqual([told.status, told.body.events], [200, [{ ...event, status: 'completed', code: 200 }]])
  const some = await tell([event, { ...event, server_uuid: cloud.imageId }])
  assert.deepEqual([some.status, some.body.events.map((e: { code: number }) => e.code)], [207, [200, 404]])
  assert.equal((await tell([{ ...event, name: 'power-update', tag: 'POWER_ON' }])).status, 400, 'from 2.76 on')
  const refused = await cloud.as('demo').post('compute', '/v2.1/os-server-external-events', { events: [event] }, old)
  assert.equal(refused.status, 403)

  const log = await admin.get('compute', '/v2.1/os-instance_usage_audit_log/2026-03-15 10:00:00', old)
  const { period_beginning, period_ending, hosts_not_run } = log.body.instance_usage_audit_log
  assert.deepEqual(
    [period_beginning, period_ending, hosts_not_run],
    ['2026-02-01 00:00:00', '2026-03-01 00:00:00', ['host1']],
  )
  assert.equal((await admin.get('compute', '/v2.1/os-instance_usage_audit_log/yesterday', old)).status, 400)

  for (const path of ['os-agents', 'os-cells', 'os-fping', 'os-cloudpipe', `servers/${id}/os-virtual-interfaces`]) {
    assert.equal((await admin.get('compute', `/v2.1/${path}`, old)).status, 410, path)
  }
  assert.equal((await admin.get('compute', '/v2.1/os-baremetal-nodes', old)).status, 501)
  const delete_info = encodeURIComponent(JSON.stringify({ volume_id: 'v' }))
  const assisted = await admin.delete('compute', `/v2.1/os-assisted-volume-snapshots/x?delete_info=${delete_info}`)
  assert.equal(assisted.status, 400)
})
