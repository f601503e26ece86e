import assert from 'node:assert/strict'
import test from 'node:test'
import { latest, startComputeCloud } from '../../../../test/support/compute.ts'

test('an aggregate makes a zone of its hosts, and servers are asked for there', async (t) => {
  const cloud = await startComputeCloud(t, { hosts: [{}, {}] })
  const admin = cloud.as('admin')
  const call = (path: string, body: object) => admin.post('compute', `/v2.1/os-aggregates${path}`, body, latest)
  const made = await call('', { aggregate: { name: 'fast', availability_zone: 'east' } })
  assert.equal(made.status, 200)
  const { id } = made.body.aggregate
  assert.equal((await call('', { aggregate: { name: 'fast' } })).status, 409)
  const added = await call(`/${id}/action`, { add_host: { host: 'host2' } })
  assert.deepEqual(added.body.aggregate.hosts, ['host2'])
  assert.equal((await call(`/${id}/action`, { add_host: { host: 'host2' } })).status, 409)
  assert.equal((await call(`/${id}/action`, { add_host: { host: 'nowhere' } })).status, 404)
  const { body } = await admin.get('compute', '/v2.1/os-availability-zone/detail')
  const zones = body.availabilityZoneInfo.map((z: { zoneName: string; hosts: object }) => [
    z.zoneName,
    Object.keys(z.hosts),
  ])
  assert.deepEqual(zones.sort(), [
    ['east', ['host2']],
    ['nova', ['host1']],
  ])
  const server = await cloud.boot('admin', { availability_zone: 'east' })
  const shown = await cloud.show('admin', server)
  assert.deepEqual([shown['OS-EXT-SRV-ATTR:host'], shown['OS-EXT-AZ:availability_zone']], ['host2', 'east'])
  assert.equal((await cloud.create('admin', { availability_zone: 'west' })).status, 400)
  assert.equal((await admin.delete('compute', `/v2.1/os-aggregates/${id}`)).status, 400)
  const meta = await call(`/${id}/action`, { set_metadata: { metadata: { ssd: 'true' } } })
  assert.deepEqual(meta.body.aggregate.metadata, { availability_zone: 'east', ssd: 'true' })
  assert.equal((await cloud.as('demo').get('compute', '/v2.1/os-aggregates')).status, 403)
})

test('a quota class is what projects without limits have', async (t) => {
  const cloud = await startComputeCloud(t)
  const admin = cloud.as('admin')
  const path = '/v2.1/os-quota-class-sets/default'
  const put = await admin.put('compute', path, { quota_class_set: { cores: 7 } }, latest)
  assert.equal(put.body.quota_class_set.cores, 7)
  const { body } = await admin.get('compute', `/v2.1/os-quota-sets/${admin.projectId}`)
  assert.equal(body.quota_set.cores, 7)
  const bad = await admin.put('compute', path, { quota_class_set: { cores: 7, beauty: 1 } }, latest)
  assert.equal(bad.status, 400)
})

test('security groups by their old proxy, until 2.35', async (t) => {
  const cloud = await startComputeCloud(t)
  const demo = cloud.as('demo')
  const wanted = { security_group: { name: 'web', description: 'd' } }
  const { status, body } = await demo.post('compute', '/v2.1/os-security-groups', wanted)
  assert.equal(status, 200, JSON.stringify(body))
  const { id } = body.security_group
  const rule = { parent_group_id: id, ip_protocol: 'tcp', from_port: 80, to_port: '80', cidr: '10.0.0.0/24' }
  const made = await demo.post('compute', '/v2.1/os-security-group-rules', { security_group_rule: rule })
  assert.equal(made.status, 200, JSON.stringify(made.body))
  const shown = await demo.get('compute', `/v2.1/os-security-groups/${id}`)
  assert.deepEqual(shown.body.security_group.rules, [made.body.security_group_rule])
  assert.deepEqual(made.body.security_group_rule.ip_range, { cidr: '10.0.0.0/24' })
  assert.equal((await demo.get('compute', `/v2.1/os-security-groups/${id}`, latest)).status, 404)
  const ruleId = made.body.security_group_rule.id
  assert.equal((await demo.delete('compute', `/v2.1/os-security-group-rules/${ruleId}`)).status, 202)
  const { body: all } = await demo.get('compute', '/v2.1/os-security-groups')
  assert.deepEqual(
    all.security_groups.map((group: { name: string }) => group.name),
    ['default', 'web'],
  )
  assert.equal((await demo.delete('compute', `/v2.1/os-security-groups/${id}`)).status, 202)
  assert.equal((await demo.delete('compute', '/v2.1/os-security-groups/x')).status, 400)
})
