import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startComputeCloud } from '../../../../test/support/compute.ts'
import { drift } from '../../../platform/quota/counters.ts'
import { counters } from '../db/counters.ts'

test('a deleted server is kept, hidden and out of the quota, until it is restored or its time is over', async (t) => {
  const cloud = await startComputeCloud(t, { config: { reclaimInstanceInterval: 3600 } })
  const demo = cloud.as('demo')
  const remove = async (id: string) => assert.equal((await demo.delete('compute', `/v2.1/servers/${id}`)).status, 204)
  const names = async (query = '') =>
    (await demo.get('compute', `/v2.1/servers${query}`)).body.servers.map((server: { name: string }) => server.name)
  const used = async () => (await demo.get('compute', '/v2.1/limits')).body.limits.absolute.totalInstancesUsed
  const id = await cloud.boot('demo', { name: 'kept' })
  for (let twice = 0; twice < 2; twice++) {
    await remove(id)
    await cloud.settle()
  }
  const server = await cloud.show('demo', id)
  assert.deepEqual([server.status, server['OS-EXT-STS:vm_state']], ['SOFT_DELETED', 'soft-delete'])
  assert.deepEqual([await names(), await names('?status=soft_deleted'), await used()], [[], ['kept'], 0])
  const [container] = await cloud.drivers[0]!.list(AbortSignal.timeout(9000))
  assert.equal(container?.seen, 'stopped')
  for (const action of [
    { 'os-start': null },
    { reboot: { type: 'HARD' } },
    { rescue: null },
    { createImage: { name: 'x' } },
  ])
    assert.equal((await cloud.act('demo', id, action)).status, 409, JSON.stringify(action))

  assert.equal((await cloud.act('demo', id, { restore: null })).status, 202)
  await cloud.settle()
  assert.equal((await cloud.show('demo', id)).status, 'ACTIVE')
  assert.equal((await cloud.drivers[0]!.find(id, AbortSignal.timeout(9000))).containerId, container?.containerId)
  assert.deepEqual([await names(), await used()], [['kept'], 1])
  assert.equal((await cloud.act('demo', id, { restore: null })).status, 409)

  // A shelved one comes back to its shelf; its image is kept all the while.
  await cloud.act('demo', id, { shelve: null })
  await cloud.until(async () => (await cloud.show('demo', id)).status === 'SHELVED_OFFLOADED')
  await remove(id)
  assert.equal((await cloud.show('demo', id)).status, 'SOFT_DELETED')
  assert.equal((await cloud.act('demo', id, { restore: null })).status, 202)
  assert.equal((await cloud.show('demo', id)).status, 'SHELVED_OFFLOADED')
  assert.equal((await cloud.act('demo', id, { unshelve: null })).status, 202)
  await cloud.settle()

  // Without waiting, or when the time is over.
  await remove(id)
  await cloud.settle()
  assert.equal((await cloud.act('demo', id, { forceDelete: null })).status, 202)
  await cloud.settle()
  assert.equal((await demo.get('compute', `/v2.1/servers/${id}`)).status, 404)
  const second = await cloud.boot('demo')
  await remove(second)
  await cloud.settle()
  await cloud.database.write(async (trx) => {
    await trx.updateTable('compute_servers').set({ reclaim_at_ms: 1 }).where('id', '=', second).execute()
  })
  await cloud.settle()
  assert.equal((await demo.get('compute', `/v2.1/servers/${second}`)).status, 404)
  assert.deepEqual(await cloud.drivers[0]!.list(AbortSignal.timeout(9000)), [])
  assert.deepEqual(await drift(cloud.database.read, counters), [])
})

test('what a project restores has to fit into its quota', async (t) => {
  const cloud = await startComputeCloud(t, {
    config: { reclaimInstanceInterval: 3600, quotas: { instances: 1, cores: 9, ramMiB: 9999, keyPairs: 1 } },
  })
  const id = await cloud.boot('demo')
  await cloud.as('demo').delete('compute', `/v2.1/servers/${id}`)
  await cloud.settle()
  const other = await cloud.boot('demo')
  assert.equal((await cloud.act('demo', id, { restore: null })).status, 403)
  assert.equal((await cloud.as('demo').delete('compute', `/v2.1/servers/${other}`)).status, 204)
  await cloud.settle()
  assert.equal((await cloud.act('demo', id, { restore: null })).status, 202)
})
