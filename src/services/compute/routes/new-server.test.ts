import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addImage, latest, startComputeCloud } from '../../../../test/support/compute.ts'

type Body = Record<string, unknown>

test('what is wrong is refused with its reason, and leaves nothing', async (t) => {
  const cloud = await startComputeCloud(t)
  const unknown = '11111111-2222-4333-8444-555555555555'
  const [vm, picky] = await Promise.all([
    addImage(cloud.as('admin'), { visibility: 'public', container_format: 'bare', disk_format: 'raw' }),
    addImage(cloud.as('admin'), { visibility: 'public', min_ram: 1024 }),
  ])
  const big = await addImage(cloud.as('admin'), { visibility: 'public', min_disk: 5 })
  const queued = (
    await cloud.as('demo').post('image', '/v2/images', { name: 'q', container_format: 'docker', disk_format: 'raw' })
  ).body.id
  const cases: [wanted: Body, status: number, message: RegExp][] = [
    [{ name: 'x'.repeat(300) }, 400, /too long/],
    [{ name: '' }, 400, /name/],
    [{ name: ' x ' }, 400, /name/],
    [{ name: undefined }, 400, /'name' is a required property/],
    [{ flavorRef: 'nope' }, 400, /^Flavor nope could not be found\.$/],
    [{ flavorRef: undefined }, 400, /'flavorRef' is a required property/],
    [{ imageRef: unknown }, 400, /^Can not find requested image$/],
    [{ imageRef: 'no uuid' }, 400, /imageRef/],
    [{ imageRef: '' }, 400, /^Invalid imageRef provided\.$/],
    [{ imageRef: vm }, 400, /container format is bare/],
    [{ imageRef: picky }, 400, /^Flavor's memory is too small for requested image\.$/],
    [{ imageRef: big }, 400, /^Flavor's disk is smaller than the minimum size/],
    [{ imageRef: queued }, 400, /is not active/],
    [{ key_name: 'nope' }, 400, /^Invalid key_name provided\.$/],
    [{ networks: undefined }, 400, /'networks' is a required property/],
    [{ networks: [{ uuid: unknown }] }, 400, new RegExp(unknown)],
    [{ networks: [{ port: unknown }] }, 400, new RegExp(unknown)],
    [{ networks: 'some' }, 400, /networks/],
    [{ availability_zone: 'mars' }, 400, /^The requested availability zone is not available$/],
    [{ availability_zone: 'nova:host1' }, 403, /forced_host/],
    [{ min_count: 3, max_count: 2 }, 400, /^min_count must be <= max_count$/],
    [{ min_count: 0 }, 400, /min_count/],
    [{ min_count: -1 }, 400, /min_count/],
    [{ min_count: 11 }, 403, /^Quota exceeded for instances: Requested 11, but already used 0 of 10 instances$/],
    [{ min_count: 3, flavorRef: '5' }, 403, /^Quota exceeded for cores: Requested 24, but already used 0 of 20 cores$/],
    [{ user_data: '###' }, 400, /^User data needs to be valid base 64\.$/],
    [{ metadata: { 'a/b': 'c' } }, 400, /metadata/],
    [{ metadata: { a: 1 } }, 400, /metadata/],
    [{ unknown_key: 1 }, 400, /'unknown_key' was unexpected/],
    [{ personality: [] }, 400, /'personality' was unexpected/],
    [{ hostname: 'a', max_count: 2 }, 400, /hostname/],
    [
      {
        block_device_mapping_v2: [{ boot_index: 0, source_type: 'volume', destination_type: 'volume', uuid: unknown }],
      },
      400,
      /no block storage/,
    ],
    [{ host: 'host1' }, 403, /requested_destination/],
    [{ tags: ['a,b'] }, 400, /tags/],
    [{ security_groups: [{ name: 'nope' }], networks: 'auto' }, 400, /nope/],
  ]
  for (const [wanted, status, message] of cases) {
    const { status: was, body } = await cloud.create('demo', wanted)
    assert.equal(was, status, `${JSON.stringify(wanted)}: ${JSON.stringify(body)}`)
    assert.match((Object.values(body)[0] as { message: string }).message, message)
  }
  const items = Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`k${i}`, 'v']))
  assert.match((await cloud.create('demo', { metadata: items })).body.forbidden.message, /metadata items exceeds 128/)
  const { servers } = (await cloud.as('admin').get('compute', '/v2.1/servers?all_tenants=1')).body
  assert.deepEqual(servers, [])
  assert.equal((await cloud.control.services.placement.usages(cloud.database.read)).size, 0)
  const asNewest = await cloud
    .as('demo')
    .call('POST', 'compute', '/v2.1/servers', {}, { 'openstack-api-version': 'compute 2.99' })
  assert.equal(asNewest.status, 406)
})

test('older microversions know less, and default more', async (t) => {
  const cloud = await startComputeCloud(t)
  const old = await cloud.create('demo', { networks: undefined }, {})
  assert.equal(old.status, 202, JSON.stringify(old.body))
  await cloud.settle()
  const server = await cloud.show('demo', old.body.server.id, {})
  assert.equal(server.flavor.id, '1')
  for (const key of ['description', 'tags', 'locked', 'host_status', 'server_groups']) {
    assert.equal(key in server, false, key)
  }
  const newer = await cloud.show('demo', old.body.server.id)
  // Before 2.19 the description was the name.
  assert.deepEqual([newer.description, newer.tags, newer.locked, newer.server_groups], ['one', [], false, []])
  assert.equal((await cloud.create('demo', { description: 'x' }, {})).status, 400)
  const prefixed = await cloud.as('demo').get('compute', `/v2.1/${cloud.as('demo').projectId}/servers`)
  assert.equal(prefixed.body.servers.length, 1)
  assert.match(prefixed.body.servers[0].links[0].href, new RegExp(`/v2.1/${cloud.as('demo').projectId}/servers/`))
  const foreign = await cloud.as('demo').get('compute', `/v2.1/${cloud.as('admin').projectId}/servers`)
  assert.equal(foreign.status, 400)
})

test('several at once are numbered, and no more are made than quota and hosts have room for', async (t) => {
  const cloud = await startComputeCloud(t, {
    hosts: [{ memoryMiB: 2048 }, { memoryMiB: 1536 }],
    config: { ramAllocationRatio: 1, quotas: { instances: 6, cores: -1, ramMiB: -1, keyPairs: 100 } },
  })
  const made = await cloud.create('demo', { name: 'web', min_count: 2, max_count: 4, return_reservation_id: true })
  assert.deepEqual(Object.keys(made.body), ['reservation_id'])
  await cloud.settle()
  const path = `/v2.1/servers/detail?reservation_id=${made.body.reservation_id}&sort_key=display_name&sort_dir=asc`
  const { servers } = (await cloud.as('demo').get('compute', path, latest)).body
  assert.deepEqual(
    servers.map(({ name, status }: { name: string; status: string }) => [name, status]),
    [1, 2, 3, 4].map((i) => [`web-${i}`, 'ACTIVE']),
  )
  const more = await cloud.create('demo', { name: 'more', min_count: 1, max_count: 5 })
  assert.equal(more.status, 202)
  await cloud.settle()
  const none = await cloud.create('admin', { name: 'none', min_count: 1 })
  const refused = await cloud.show('admin', none.body.server.id)
  assert.equal(refused.status, 'ERROR')
  assert.equal(
    refused.fault.message,
    'No valid host was found. host1: MEMORY_MB: wanted 512, free 0 of 1536; host2: MEMORY_MB: wanted 512, free 0 of 1024',
  )
  const all = (await cloud.as('demo').get('compute', '/v2.1/servers')).body.servers
  assert.deepEqual(all.map(({ name }: { name: string }) => name).toSorted(), [
    'more-1',
    'web-1',
    'web-2',
    'web-3',
    'web-4',
  ])
  assert.equal((await cloud.as('admin').delete('compute', `/v2.1/servers/${none.body.server.id}`)).status, 204)
  assert.equal((await cloud.as('admin').get('compute', `/v2.1/servers/${none.body.server.id}`)).status, 404)
})

test('each filter of the scheduler says why', async (t) => {
  const cloud = await startComputeCloud(t)
  const other = await addImage(cloud.as('admin'), { visibility: 'public', hypervisor_type: 'kvm' })
  const why = async (wanted: object) => {
    const { body } = await cloud.create('admin', wanted)
    return (await cloud.show('admin', body.server.id)).fault.message as string
  }
  assert.match(await why({ imageRef: other }), /host1: ImagePropertiesFilter: hypervisor_type: wanted kvm, is docker/)
  const { services } = (await cloud.as('admin').get('compute', '/v2.1/os-services', latest)).body
  const change = (body: object) => cloud.as('admin').put('compute', `/v2.1/os-services/${services[0].id}`, body, latest)
  assert.equal((await change({ status: 'disabled', disabled_reason: 'new disks' })).status, 200)
  assert.match(await why({}), /host1: ComputeFilter: its service is disabled \(new disks\)/)
  const forced = await cloud.boot('admin', { availability_zone: 'nova:host1' })
  assert.equal((await cloud.show('admin', forced)).status, 'ACTIVE')
  assert.equal((await change({ status: 'enabled' })).status, 200)
  assert.equal((await change({ forced_down: true })).status, 200)
  assert.match(await why({}), /ComputeFilter: its service was forced down/)
  await cloud.as('admin').delete('compute', `/v2.1/servers/${forced}`)
  assert.equal((await cloud.as('admin').get('compute', `/v2.1/servers/${forced}`)).status, 404)
})
