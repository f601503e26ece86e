import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startComputeCloud } from '../../../test/support/compute.ts'
import { eachDatabase } from '../../../test/support/databases.ts'
import { drift } from '../../platform/quota/counters.ts'
import { networkCounters } from '../network/index.ts'
import { counters } from './db/counters.ts'

eachDatabase((name, open) => {
  test(`${name}: Identity's limits bind Compute and Network, quota sets are the same limits, and no request slips past`, async (t) => {
    const cloud = await startComputeCloud(t, { open })
    const [admin, demo] = [cloud.as('admin'), cloud.as('demo')]
    const { projectId } = demo
    const services = (await admin.get('identity', '/v3/services')).body.services
    const serviceId = (type: string) => services.find((service: { type: string }) => service.type === type).id
    const register = (type: string, resource_name: string, default_limit: number) =>
      admin.post('identity', '/v3/registered_limits', {
        registered_limits: [{ service_id: serviceId(type), resource_name, default_limit }],
      })
    const shown = async () => (await demo.get('compute', `/v2.1/os-quota-sets/${projectId}/detail`)).body.quota_set

    assert.equal((await register('compute', 'servers', 7)).status, 201)
    assert.equal((await shown()).instances.limit, 7)
    const set = { quota_set: { instances: 3, server_groups: 2 } }
    assert.equal((await admin.put('compute', `/v2.1/os-quota-sets/${projectId}`, set)).status, 200)
    const { limits } = (await demo.get('identity', '/v3/limits')).body
    assert.deepEqual(
      limits.map((l: { resource_name: string; resource_limit: number }) => [l.resource_name, l.resource_limit]).sort(),
      [
        ['server_groups', 2],
        ['servers', 3],
      ],
    )
    const [{ id: limitId }] = limits.filter((l: { resource_name: string }) => l.resource_name === 'servers')

    const made = await Promise.all(Array.from({ length: 8 }, () => cloud.create('demo')))
    assert.deepEqual(made.map(({ status }) => status).sort(), [202, 202, 202, 403, 403, 403, 403, 403])
    assert.equal(
      made.find(({ status }) => status === 403)?.body.forbidden.message,
      'Quota exceeded for instances: Requested 1, but already used 3 of 3 instances',
    )
    const group = { server_group: { name: 'g', policies: ['affinity'] } }
    const groups = await Promise.all(
      Array.from({ length: 5 }, () => demo.post('compute', '/v2.1/os-server-groups', group)),
    )
    assert.deepEqual(groups.map(({ status }) => status).sort(), [200, 200, 403, 403, 403])

    // Lowered in Identity: nothing is taken away, and nothing more is made until there is room.
    await cloud.settle()
    const lower = { limit: { resource_limit: 1 } }
    assert.equal((await admin.patch('identity', `/v3/limits/${limitId}`, lower)).status, 200)
    assert.deepEqual((await shown()).instances, { limit: 1, in_use: 3, reserved: 0 })
    const ids = made.flatMap(({ status, body }) => (status === 202 ? [body.server.id as string] : []))
    assert.equal((await cloud.create('demo')).status, 403)
    for (const id of ids) assert.equal((await demo.delete('compute', `/v2.1/servers/${id}`)).status, 204)
    await cloud.settle()
    assert.equal((await shown()).instances.in_use, 0)
    assert.equal((await cloud.create('demo')).status, 202)
    assert.equal((await cloud.create('demo')).status, 403)

    assert.equal((await admin.put('network', `/v2.0/quotas/${projectId}`, { quota: { network: 5 } })).status, 200)
    const network = () => demo.post('network', '/v2.0/networks', { network: { name: 'n' } })
    const before = (await demo.get('network', `/v2.0/quotas/${projectId}/details`)).body.quota.network
    const networks = await Promise.all(Array.from({ length: 12 }, network))
    const over = networks.filter(({ status }) => status === 409)
    assert.equal(networks.length - over.length, 5 - before.used)
    assert.equal(over[0]?.body.NeutronError.type, 'OverQuota')
    const details = (await demo.get('network', `/v2.0/quotas/${projectId}/details`)).body.quota.network
    assert.deepEqual(details, { limit: 5, used: 5, reserved: 0 })
    const tooLow = { quota: { network: 4, check_limit: true } }
    assert.equal((await admin.put('network', `/v2.0/quotas/${projectId}`, tooLow)).status, 400)
    assert.equal((await admin.put('network', '/v2.0/quotas/nobody', { quota: { network: 4 } })).status, 404)
    assert.equal((await admin.delete('network', `/v2.0/quotas/${projectId}`)).status, 204)
    assert.equal((await admin.delete('network', `/v2.0/quotas/${projectId}`)).status, 404)
    assert.deepEqual(await drift(cloud.database.read, [...counters, ...networkCounters]), [])
  })
})

test('usage follows resize, its confirmation and revert, a failed build, shelving and deletion', async (t) => {
  const cloud = await startComputeCloud(t)
  const { projectId } = cloud.as('demo')
  const used = async () => {
    const { body } = await cloud.as('demo').get('compute', `/v2.1/os-quota-sets/${projectId}/detail`)
    const { instances, cores, ram } = body.quota_set
    return [instances.in_use, cores.in_use, ram.in_use]
  }
  const act = async (id: string, action: object) => {
    const { status, body } = await cloud.act('demo', id, action)
    assert.ok(status === 202 || status === 204, JSON.stringify(body))
    await cloud.settle()
  }
  const id = await cloud.boot('demo')
  assert.deepEqual(await used(), [1, 1, 512])
  await act(id, { resize: { flavorRef: '3' } })
  assert.deepEqual(await used(), [1, 2, 4096])
  await act(id, { revertResize: null })
  assert.deepEqual(await used(), [1, 1, 512])
  await act(id, { resize: { flavorRef: '3' } })
  await act(id, { confirmResize: null })
  assert.deepEqual(await used(), [1, 2, 4096])

  // Back to more than the limit has become meanwhile is refused, as upstream does.
  await act(id, { resize: { flavorRef: '1' } })
  const quota = `/v2.1/os-quota-sets/${projectId}`
  await cloud.as('admin').put('compute', quota, { quota_set: { cores: 1, force: true } })
  const back = await cloud.act('demo', id, { revertResize: null })
  assert.deepEqual([back.status, /^Quota exceeded for cores/.test(back.body.forbidden?.message)], [403, true])
  await cloud.as('admin').delete('compute', quota)
  await act(id, { revertResize: null })

  await act(id, { shelve: null })
  assert.deepEqual(await used(), [1, 2, 4096])
  const flavor = { flavor: { id: 'vast', name: 'vast', vcpus: 1, ram: 512, disk: 900_000 } }
  assert.equal((await cloud.as('admin').post('compute', '/v2.1/flavors', flavor)).status, 200)
  const failed = await cloud.boot('demo', { flavorRef: 'vast' })
  assert.equal((await cloud.show('demo', failed)).status, 'ERROR')
  assert.deepEqual(await used(), [2, 3, 4608])
  for (const server of [id, failed])
    assert.equal((await cloud.as('demo').delete('compute', `/v2.1/servers/${server}`)).status, 204)
  await cloud.settle()
  assert.deepEqual(await used(), [0, 0, 0])
  assert.deepEqual(await drift(cloud.database.read, counters), [])
})
