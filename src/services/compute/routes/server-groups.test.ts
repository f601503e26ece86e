import assert from 'node:assert/strict'
import test from 'node:test'
import { latest, startComputeCloud } from '../../../../test/support/compute.ts'

test('a group keeps servers apart, or together, and says why when it cannot', async (t) => {
  const cloud = await startComputeCloud(t, { hosts: [{}, {}] })
  const demo = cloud.as('demo')
  const group = async (policy: string, headers = latest) => {
    const made = await demo.post('compute', '/v2.1/os-server-groups', { server_group: { name: 'g', policy } }, headers)
    assert.equal(made.status, 200, JSON.stringify(made.body))
    return made.body.server_group.id as string
  }
  const hints = (id: string) => ({ 'os:scheduler_hints': { group: id } })
  const boot = async (id: string) => {
    const wanted = { name: 'm', imageRef: cloud.imageId, flavorRef: '1', networks: 'none' }
    const { status, body } = await demo.post('compute', '/v2.1/servers', { server: wanted, ...hints(id) }, latest)
    assert.equal(status, 202, JSON.stringify(body))
    await cloud.settle()
    return cloud.show('admin', body.server.id)
  }
  const host = 'OS-EXT-SRV-ATTR:host'
  const apart = await group('anti-affinity')
  const [one, two, three] = [await boot(apart), await boot(apart), await boot(apart)]
  assert.deepEqual([one[host], two[host]].sort(), ['host1', 'host2'])
  assert.equal(three.status, 'ERROR')
  assert.match(three.fault.message, /host1: ServerGroupAntiAffinityFilter/)
  const shown = await demo.get('compute', `/v2.1/os-server-groups/${apart}`, latest)
  assert.deepEqual(shown.body.server_group.members, [one.id, two.id, three.id])
  assert.deepEqual(one.server_groups, [apart])

  const together = await group('affinity')
  assert.equal((await boot(together))[host], (await boot(together))[host])
  const soft = await group('soft-anti-affinity')
  const hosts = [(await boot(soft))[host], (await boot(soft))[host]]
  assert.deepEqual(hosts.sort(), ['host1', 'host2'])
  assert.equal((await boot(soft)).status, 'ACTIVE')

  assert.equal((await demo.delete('compute', `/v2.1/os-server-groups/${apart}`)).status, 204)
  assert.equal((await demo.get('compute', `/v2.1/os-server-groups/${apart}`)).status, 404)
  const old = await demo.post('compute', '/v2.1/os-server-groups', {
    server_group: { name: 'g', policies: ['affinity'] },
  })
  assert.deepEqual(old.body.server_group.policies, ['affinity'])
})

test('a backup rotates, and an operator says what state a server is in', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  const backups = async () => {
    const { body } = await cloud.as('demo').get('image', '/v2/images?image_type=backup')
    return body.images.map((image: { name: string }) => image.name).sort()
  }
  for (const name of ['b1', 'b2', 'b3']) {
    const made = await cloud.act('demo', id, { createBackup: { name, backup_type: 'daily', rotation: 2 } })
    assert.equal(made.status, 202, JSON.stringify(made.body))
    await cloud.until(async () => (await cloud.show('demo', id))['OS-EXT-STS:task_state'] === null)
  }
  assert.deepEqual(await backups(), ['b2', 'b3'])
  assert.equal((await cloud.act('demo', id, { 'os-resetState': { state: 'error' } })).status, 403)
  assert.equal((await cloud.act('admin', id, { 'os-resetState': { state: 'error' } })).status, 202)
  assert.equal((await cloud.show('demo', id)).status, 'ERROR')
  assert.equal((await cloud.act('admin', id, { 'os-resetState': { state: 'active' } })).status, 202)
  assert.equal((await cloud.act('demo', id, { changePassword: { adminPass: 'secret' } })).status, 202)
  const usage = await cloud
    .as('admin')
    .get('compute', '/v2.1/os-simple-tenant-usage?start=2020-01-01T00:00:00&detailed=1')
  assert.equal(usage.body.tenant_usages[0].server_usages[0].instance_id, id)
  assert.equal((await cloud.act('demo', id, { forceDelete: null })).status, 202)
  await cloud.settle()
  assert.equal((await cloud.as('demo').get('compute', `/v2.1/servers/${id}`)).status, 404)
})
