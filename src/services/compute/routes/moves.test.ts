import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { latest, startComputeCloud } from '../../../../test/support/compute.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { ServerOrder } from '../messages.ts'

const signal = () => AbortSignal.timeout(9000)

/** Two hosts, and where a server's containers are. */
async function startTwoHosts(t: TestContext, options: Parameters<typeof startComputeCloud>[1] = {}) {
  const cloud = await startComputeCloud(t, { hosts: [{}, {}], ...options })
  const admin = cloud.as('admin')
  const containers = async (id: string) =>
    Object.fromEntries(
      await Promise.all(
        cloud.drivers.map(async (driver, i) => [`host${i + 1}`, (await driver.find(id, signal())).seen]),
      ),
    ) as Record<string, string>
  return {
    ...cloud,
    admin,
    containers,
    hostOf: async (id: string) => (await cloud.show('admin', id))['OS-EXT-SRV-ATTR:host'] as string,
    other: (host: string) => (host === 'host1' ? 'host2' : 'host1'),
    /** Until the server is in this state and nothing is under way. */
    reached: (id: string, status: string) =>
      cloud.until(async () => {
        const server = await cloud.show('admin', id)
        return server.status === status && server['OS-EXT-STS:task_state'] === null
      }),
    migrations: async (query = '') =>
      (await admin.get('compute', `/v2.1/os-migrations${query}`, latest)).body.migrations as Record<string, string>[],
    images: async () =>
      (await admin.get('image', '/v2/images')).body.images.map((image: { name: string }) => image.name) as string[],
    used: async () => {
      const { hypervisors } = (await admin.get('compute', '/v2.1/os-hypervisors/detail')).body
      return Object.fromEntries(
        hypervisors.map((h: { hypervisor_hostname: string; vcpus_used: number }) => [
          h.hypervisor_hostname,
          h.vcpus_used,
        ]),
      )
    },
    claims: async () => {
      const rows = await cloud.database.read.selectFrom('placement_allocations').selectAll().execute()
      return new Set(rows.map((row) => row.consumer_id)).size
    },
  }
}

test('a server is migrated, and back, and for good; its disk goes along as an image', async (t) => {
  const cloud = await startTwoHosts(t)
  const id = await cloud.boot('demo')
  const home = await cloud.hostOf(id)
  const away = cloud.other(home)
  const [before] = await cloud.drivers[home === 'host1' ? 0 : 1]!.list(signal())

  assert.equal((await cloud.act('demo', id, { migrate: null })).status, 403)
  const asked = await cloud.act('admin', id, { migrate: null })
  assert.equal(asked.status, 202, JSON.stringify(asked.body))
  assert.equal((await cloud.show('demo', id)).status, 'RESIZE')
  assert.equal((await cloud.act('demo', id, { 'os-stop': null })).status, 409)
  await cloud.reached(id, 'VERIFY_RESIZE')
  assert.equal(await cloud.hostOf(id), away)
  assert.deepEqual(await cloud.containers(id), { [home]: 'stopped', [away]: 'running' })
  assert.deepEqual([await cloud.claims(), (await cloud.images()).includes('one-moving')], [2, true])

  assert.equal((await cloud.act('demo', id, { revertResize: null })).status, 202)
  await cloud.reached(id, 'ACTIVE')
  await cloud.until(async () => (await cloud.containers(id))[away] === 'absent')
  assert.deepEqual(await cloud.containers(id), { [home]: 'running', [away]: 'absent' })
  const [after] = await cloud.drivers[home === 'host1' ? 0 : 1]!.list(signal())
  assert.equal(after?.containerId, before?.containerId)
  assert.deepEqual([await cloud.claims(), (await cloud.images()).includes('one-moving')], [1, false])

  // To a named host, stopped, and confirmed.
  await cloud.act('demo', id, { 'os-stop': null })
  await cloud.reached(id, 'SHUTOFF')
  for (const [host, status] of [
    [home, 400],
    ['nowhere', 400],
    [away, 202],
  ] as const)
    assert.equal((await cloud.act('admin', id, { migrate: { host } })).status, status, host)
  await cloud.reached(id, 'VERIFY_RESIZE')
  assert.equal((await cloud.act('demo', id, { confirmResize: null })).status, 204)
  await cloud.until(async () => (await cloud.containers(id))[home] === 'absent')
  assert.deepEqual(await cloud.containers(id), { [home]: 'absent', [away]: 'stopped' })
  assert.equal((await cloud.show('demo', id)).status, 'SHUTOFF')
  assert.deepEqual([await cloud.claims(), (await cloud.images()).includes('one-moving')], [1, false])
  assert.equal((await cloud.act('demo', id, { 'os-start': null })).status, 202)
  await cloud.reached(id, 'ACTIVE')

  const all = await cloud.migrations()
  assert.deepEqual(
    all.map((m) => [m.migration_type, m.status, m.source_compute, m.dest_compute]),
    [
      ['migration', 'confirmed', home, away],
      ['migration', 'reverted', home, away],
    ],
  )
  assert.equal((await cloud.migrations(`?status=reverted&host=${away}&migration_type=migration`)).length, 1)
  assert.equal((await cloud.migrations(`?source_compute=${away}`)).length, 0)
  assert.equal((await cloud.migrations(`?marker=${all[0]!.uuid}&limit=1`))[0]?.uuid, all[1]!.uuid)
  assert.equal((await cloud.admin.get('compute', '/v2.1/os-migrations?marker=x', latest)).status, 400)
  const path = `/v2.1/servers/${id}/migrations`
  assert.deepEqual((await cloud.admin.get('compute', path, latest)).body, { migrations: [] })
  assert.equal((await cloud.admin.get('compute', `${path}/${all[0]!.id}`, latest)).status, 404)
  assert.equal((await cloud.admin.get('compute', path)).status, 404)
})

test('a resize moves where its own host has no room, or where it is told to', async (t) => {
  const cloud = await startTwoHosts(t, { hosts: [{ memoryMiB: 2048 }, { memoryMiB: 8192 }] })
  const id = await cloud.boot('admin', { host: 'host1' })
  const small = { resize: { flavorRef: '3' } }
  assert.equal((await cloud.act('admin', id, small)).status, 202)
  await cloud.reached(id, 'VERIFY_RESIZE')
  assert.equal(await cloud.hostOf(id), 'host2')
  assert.equal((await cloud.show('admin', id)).flavor.original_name, 'm1.medium')
  assert.equal((await cloud.act('admin', id, { revertResize: null })).status, 202)
  await cloud.reached(id, 'ACTIVE')
  assert.deepEqual([await cloud.hostOf(id), (await cloud.show('admin', id)).flavor.original_name], ['host1', 'm1.tiny'])
  const big = await cloud.act('admin', id, { resize: { flavorRef: '5' } })
  assert.equal(big.status, 400)
  assert.match(big.body.badRequest.message, /No valid host was found.*host1/)
  assert.equal((await cloud.show('admin', id)).status, 'ACTIVE')
  assert.equal(await cloud.claims(), 1)

  const moving = await startTwoHosts(t, { config: { allowResizeToSameHost: false } })
  const second = await moving.boot('demo')
  const home = await moving.hostOf(second)
  assert.equal((await moving.act('demo', second, { resize: { flavorRef: '2' } })).status, 202)
  await moving.reached(second, 'VERIFY_RESIZE')
  assert.equal(await moving.hostOf(second), moving.other(home))
  // Deleted before anybody decides: nothing stays, here or there.
  assert.equal((await moving.as('demo').delete('compute', `/v2.1/servers/${second}`)).status, 204)
  await moving.until(async () => (await moving.as('demo').get('compute', `/v2.1/servers/${second}`)).status === 404)
  assert.equal(await moving.claims(), 0)
  assert.equal((await moving.images()).includes('one-moving'), false)
})

test('a move that fails leaves the server as it was, with the reason', async (t) => {
  let refusing = ''
  const fail = (host: string) => (order: ServerOrder) =>
    refusing === host && order.wish === 'running' ? new CloudError('internal', 'no such luck') : null
  const cloud = await startTwoHosts(t, { hosts: [{ fail: fail('host1') }, { fail: fail('host2') }] })
  const id = await cloud.boot('demo')
  const home = await cloud.hostOf(id)
  refusing = cloud.other(home)
  const asked = await cloud.act('admin', id, { migrate: null })
  await cloud.reached(id, 'ACTIVE')
  assert.equal(await cloud.hostOf(id), home)
  assert.deepEqual(await cloud.containers(id), { [home]: 'running', [cloud.other(home)]: 'absent' })
  assert.deepEqual(
    (await cloud.migrations()).map((m) => m.status),
    ['error'],
  )
  assert.deepEqual([await cloud.claims(), (await cloud.images()).includes('one-moving')], [1, false])
  const path = `/v2.1/servers/${id}/os-instance-actions/${asked.headers['x-openstack-request-id']}`
  const { instanceAction } = (await cloud.admin.get('compute', path, latest)).body
  assert.deepEqual(
    [instanceAction.events[0].result, /no such luck/.test(instanceAction.events[0].details)],
    ['Error', true],
  )
})

test('servers of a host that is down are evacuated; when it comes back it lets them go', async (t) => {
  const cloud = await startTwoHosts(t)
  const id = await cloud.boot('demo')
  const home = await cloud.hostOf(id)
  const away = cloud.other(home)
  const evacuate = (body: object = {}, headers = latest) => cloud.act('admin', id, { evacuate: body }, headers)
  assert.match((await evacuate()).body.badRequest.message, new RegExp(`service of ${home} is still in use`))
  assert.equal((await evacuate({ host: 'nowhere' })).status, 404)
  assert.equal((await evacuate({ host: home })).status, 400)
  const { services } = (await cloud.admin.get('compute', `/v2.1/os-services?host=${home}&binary=nova-compute`, latest))
    .body
  const service = `/v2.1/os-services/${services[0].id}`
  await cloud.admin.put('compute', service, { forced_down: true }, latest)
  assert.equal((await evacuate({ onSharedStorage: true }, {} as typeof latest)).status, 400)
  const { status, body } = await evacuate({ onSharedStorage: false, adminPass: 'x' }, {} as typeof latest)
  assert.deepEqual([status, body], [200, { adminPass: 'x' }])
  await cloud.reached(id, 'ACTIVE')
  assert.equal(await cloud.hostOf(id), away)
  assert.equal((await cloud.containers(id))[away], 'running')
  const [migration] = await cloud.migrations()
  assert.deepEqual([migration?.migration_type, migration?.status], ['evacuation', 'done'])

  // The old host tells of what it has.
  const driver = cloud.drivers[home === 'host1' ? 0 : 1]!
  driver.end(id, 1)
  await cloud.until(async () => (await cloud.containers(id))[home] === 'absent')
  assert.deepEqual(await cloud.containers(id), { [home]: 'absent', [away]: 'running' })
  assert.equal(await cloud.claims(), 1)
})

test('a live migration ends with its checks, as with any driver that cannot', async (t) => {
  const cloud = await startTwoHosts(t)
  const id = await cloud.boot('demo')
  const live = (body: object, headers = latest) => cloud.act('admin', id, { 'os-migrateLive': body }, headers)
  assert.equal((await live({ host: null, block_migration: 'auto' })).status, 202)
  assert.equal((await live({ host: 'nowhere', block_migration: 'auto' })).status, 400)
  assert.equal((await live({ block_migration: 'auto' })).status, 400)
  const old = await live({ host: null, block_migration: false, disk_over_commit: false }, {} as typeof latest)
  assert.match(old.body.badRequest.message, /pre-check error/)
  assert.equal((await cloud.show('demo', id)).status, 'ACTIVE')
  const [migration] = await cloud.migrations('?migration_type=live-migration')
  assert.equal(migration?.status, 'error')
  const path = `/v2.1/servers/${id}/migrations/${migration?.id}`
  assert.equal((await cloud.admin.get('compute', path, latest)).status, 404)
  assert.equal((await cloud.admin.call('DELETE', 'compute', path, undefined, latest)).status, 409)
  assert.equal((await cloud.admin.post('compute', `${path}/action`, { force_complete: null }, latest)).status, 400)
})

test('one host is no place to migrate to', async (t) => {
  const cloud = await startTwoHosts(t, { hosts: [{}] })
  const id = await cloud.boot('demo')
  const { status, body } = await cloud.act('admin', id, { migrate: null })
  assert.equal(status, 400)
  assert.match(body.badRequest.message, /No valid host was found/)
  assert.equal((await cloud.show('demo', id)).status, 'ACTIVE')
  assert.equal(await cloud.claims(), 1)
})
