import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCloud } from '../../../../test/support/cloud.ts'
import { startComputeCloud } from '../../../../test/support/compute.ts'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { newId } from '../../../platform/ids.ts'

const at = (version: string) => ({ 'openstack-api-version': `placement ${version}` })
const newest = at('1.39')

eachDatabase((engine, open) => {
  test(`providers, inventories, traits, aggregates, allocations and candidates (${engine})`, async (t) => {
    const cloud = await startCloud(t, { open, hosts: [] })
    const admin = cloud.as('admin')
    const call = async (method: string, path: string, body?: unknown, status = 200, version = '1.39') => {
      const answer = await admin.call(method, 'placement', path, body, at(version))
      assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`)
      return answer.body
    }
    const [root, child, disk, aggregate] = [newId(), newId(), newId(), newId()]
    const made = await call('POST', '/resource_providers', { name: 'root', uuid: root })
    assert.deepEqual(
      [made.uuid, made.generation, made.parent_provider_uuid, made.root_provider_uuid],
      [root, 0, null, root],
    )
    await call('POST', '/resource_providers', { name: 'numa0', uuid: child, parent_provider_uuid: root })
    await call('POST', '/resource_providers', { name: 'disks', uuid: disk.replaceAll('-', '') })
    const twice = await call('POST', '/resource_providers', { name: 'root' }, 409)
    assert.equal(twice.errors[0].code, 'placement.duplicate_name')

    // Inventories, and the generation that guards them.
    const path = (id: string, part: string) => `/resource_providers/${id}/${part}`
    const set = (id: string, generation: number, inventories: object, status = 200) =>
      call('PUT', path(id, 'inventories'), { resource_provider_generation: generation, inventories }, status)
    const stocked = await set(root, 0, { VCPU: { total: 8, allocation_ratio: 2 }, CUSTOM_GOLD: { total: 1 } }, 400)
    assert.match(stocked.errors[0].detail, /No such resource class CUSTOM_GOLD/)
    await call('PUT', '/resource_classes/CUSTOM_GOLD', undefined, 201)
    await call('PUT', '/resource_classes/CUSTOM_GOLD', undefined, 204)
    const after = await set(root, 0, { VCPU: { total: 8, allocation_ratio: 2 }, CUSTOM_GOLD: { total: 1 } })
    assert.equal(after.resource_provider_generation, 1)
    assert.deepEqual(after.inventories.VCPU, {
      ...{ total: 8, reserved: 0, min_unit: 1, max_unit: 2_147_483_647, step_size: 1, allocation_ratio: 2 },
    })
    const late = await set(root, 0, {}, 409)
    assert.equal(late.errors[0].code, 'placement.concurrent_update')
    await set(child, 0, { MEMORY_MB: { total: 1000, step_size: 100, reserved: 100 } })
    await set(disk, 0, { DISK_GB: { total: 100 } })
    await call('POST', path(child, 'inventories'), { resource_class: 'PCPU', total: 4 }, 201)
    const reserved = { resource_class: 'VGPU', total: 4, reserved: 4 }
    await call('POST', path(child, 'inventories'), reserved, 400, '1.25')
    await call('POST', path(child, 'inventories'), reserved, 201)
    await call('DELETE', path(child, 'inventories/VGPU'), undefined, 204)
    await call('DELETE', path(child, 'inventories/VGPU'), undefined, 404)

    // Traits.
    const traits = (id: string, generation: number, wanted: string[], status = 200) =>
      call('PUT', path(id, 'traits'), { resource_provider_generation: generation, traits: wanted }, status)
    await traits(root, 1, ['CUSTOM_FAST'], 400)
    await call('PUT', '/traits/CUSTOM_FAST', undefined, 201)
    await call('PUT', '/traits/HW_CPU_X86_AVX', undefined, 400)
    await traits(root, 1, ['CUSTOM_FAST', 'HW_CPU_X86_AVX'])
    await traits(disk, 1, ['MISC_SHARES_VIA_AGGREGATE'])
    await call('DELETE', '/traits/CUSTOM_FAST', undefined, 409)
    const used = await call('GET', '/traits?associated=true&name=startswith:CUSTOM')
    assert.deepEqual(used.traits, ['CUSTOM_FAST'])

    // A shared disk reaches the trees in its aggregate.
    for (const [id, generation] of [
      [root, 2],
      [disk, 2],
    ] as const) {
      const body = { aggregates: [aggregate], resource_provider_generation: generation }
      assert.deepEqual((await call('PUT', path(id, 'aggregates'), body)).aggregates, [aggregate])
    }
    const list = async (query: string) =>
      (await call('GET', `/resource_providers?${query}`)).resource_providers.map((p: { name: string }) => p.name)
    assert.deepEqual(await list(`in_tree=${child}`), ['numa0', 'root'])
    assert.deepEqual(await list(`member_of=in:${aggregate},${newId()}&required=!CUSTOM_FAST`), ['disks'])
    assert.deepEqual(await list('required=in:CUSTOM_FAST,HW_CPU_X86_AVX2&resources=VCPU:16'), ['root'])
    assert.deepEqual(await list('resources=VCPU:17'), [])
    await call('GET', '/resource_providers?required=in:CUSTOM_FAST', undefined, 400, '1.38')

    const candidates = async (query: string) => (await call('GET', `/allocation_candidates?${query}`)) as Candidates
    const spread = await candidates('resources=VCPU:1,MEMORY_MB:200,DISK_GB:10&root_required=CUSTOM_FAST')
    assert.deepEqual(spread.allocation_requests, [
      {
        allocations: {
          [root]: { resources: { VCPU: 1 } },
          [child]: { resources: { MEMORY_MB: 200 } },
          [disk]: { resources: { DISK_GB: 10 } },
        },
        mappings: { '': [root, child, disk].sort() },
      },
    ])
    assert.deepEqual(Object.keys(spread.provider_summaries).sort(), [root, child, disk].sort())
    assert.equal((await candidates('resources=MEMORY_MB:250')).allocation_requests.length, 0)
    assert.equal((await candidates('resources=VCPU:1&required=!CUSTOM_FAST')).allocation_requests.length, 0)
    const granular = 'resources_A=VCPU:1&resources_B=PCPU:1&group_policy=isolate'
    const tied = await candidates(`${granular}&same_subtree=_A,_B`)
    assert.deepEqual(tied.allocation_requests[0]?.mappings, { _A: [root], _B: [child] })
    assert.equal((await candidates(`${granular}&in_tree_A=${disk}`)).allocation_requests.length, 0)
    const both = 'resources1=VCPU:1&resources2=VCPU:1&group_policy='
    assert.equal((await candidates(`${both}isolate`)).allocation_requests.length, 0)
    assert.equal((await candidates(`${both}none`)).allocation_requests.length, 1)
    await call('GET', '/allocation_candidates?resources1=VCPU:1&resources2=VCPU:1', undefined, 400)
    await call('GET', '/allocation_candidates?required=CUSTOM_FAST', undefined, 400)
    await call('GET', '/allocation_candidates', undefined, 404, '1.9')
    await call('GET', '/allocation_candidates?resources=VCPU:1', undefined, 200, '1.10')
    // Clients of before trees are given no two providers of one.
    const old = await call('GET', '/allocation_candidates?resources=VCPU:1,PCPU:1', undefined, 200, '1.28')
    assert.deepEqual(old, { allocation_requests: [], provider_summaries: {} })

    // Allocations, all or nothing.
    const consumer = newId()
    const owner = { project_id: 'p', user_id: 'u', consumer_type: 'INSTANCE' }
    const allocate = (allocations: object, generation: number | null, status: number) =>
      call('PUT', `/allocations/${consumer}`, { allocations, consumer_generation: generation, ...owner }, status)
    const { allocations } = spread.allocation_requests[0]!
    const stale = await allocate(allocations, 4, 409)
    assert.equal(stale.errors[0].code, 'placement.concurrent_update')
    await allocate(allocations, null, 204)
    const held = await call('GET', `/allocations/${consumer}`)
    assert.deepEqual(
      [held.consumer_generation, held.consumer_type, held.project_id, held.allocations[child].resources],
      [1, 'INSTANCE', 'p', { MEMORY_MB: 200 }],
    )
    await allocate({ [child]: { resources: { MEMORY_MB: 150 } } }, 1, 409)
    await allocate({ [root]: { resources: { VCPU: 17 } } }, 1, 409)
    await allocate({ [root]: { resources: { VCPU: 16 } } }, 1, 204)
    assert.deepEqual((await call('GET', path(root, 'usages'))).usages, { CUSTOM_GOLD: 0, VCPU: 16 })
    assert.deepEqual((await call('GET', path(disk, 'usages'))).usages, { DISK_GB: 0 })
    assert.deepEqual((await call('GET', '/usages?project_id=p')).usages, {
      INSTANCE: { consumer_count: 1, VCPU: 16 },
    })
    assert.deepEqual((await call('GET', '/usages?project_id=p', undefined, 200, '1.37')).usages, { VCPU: 16 })
    const inUse = await set(root, (await call('GET', `/resource_providers/${root}`)).generation, {}, 409)
    assert.equal(inUse.errors[0].code, 'placement.inventory.inuse')
    const parent = await call('DELETE', `/resource_providers/${root}`, undefined, 409)
    assert.equal(parent.errors[0].code, 'placement.resource_provider.cannot_delete_parent')

    // The reshaper moves an inventory to a child with what is held of it.
    const generation = async (id: string) => (await call('GET', `/resource_providers/${id}`)).generation as number
    const inventories = async (id: string) => (await call('GET', path(id, 'inventories'))).inventories
    const reshaped = {
      inventories: {
        [root]: { resource_provider_generation: await generation(root), inventories: {} },
        [child]: {
          resource_provider_generation: await generation(child),
          inventories: { ...(await inventories(child)), VCPU: { total: 16 } },
        },
      },
      allocations: {
        [consumer]: { ...owner, consumer_generation: 2, allocations: { [child]: { resources: { VCPU: 16 } } } },
      },
    }
    await call('POST', '/reshaper', reshaped, 204)
    await call('POST', '/reshaper', reshaped, 409)
    assert.deepEqual((await call('GET', path(child, 'usages'))).usages, { MEMORY_MB: 0, PCPU: 0, VCPU: 16 })
    assert.deepEqual(await inventories(root), {})

    await call('DELETE', `/allocations/${consumer}`, undefined, 204)
    await call('DELETE', `/allocations/${consumer}`, undefined, 404)
    const moved = { name: 'numa0', parent_provider_uuid: null }
    await call('PUT', `/resource_providers/${child}`, moved, 400, '1.36')
    assert.equal((await call('PUT', `/resource_providers/${child}`, moved)).root_provider_uuid, child)
    await call('PUT', `/resource_providers/${root}`, { name: 'root', parent_provider_uuid: child })
    await call('PUT', `/resource_providers/${child}`, { name: 'numa0', parent_provider_uuid: root }, 400)
    for (const id of [root, child, disk]) await call('DELETE', `/resource_providers/${id}`, undefined, 204)
    assert.deepEqual(await list(''), [])
  })
})

interface Candidates {
  allocation_requests: { allocations: Record<string, object>; mappings: Record<string, string[]> }[]
  provider_summaries: Record<string, object>
}

test('versions, errors, methods and who may', async (t) => {
  const cloud = await startCloud(t, { hosts: [] })
  const [admin, demo] = [cloud.as('admin'), cloud.as('demo')]
  const { body: root } = await demo.get('placement', '/')
  assert.deepEqual([root.versions[0].min_version, root.versions[0].max_version], ['1.0', '1.39'])
  assert.equal((await demo.get('placement', '/resource_providers', newest)).status, 403)
  const own = await demo.get('placement', `/usages?project_id=${demo.projectId}`, newest)
  assert.deepEqual([own.status, own.body], [200, { usages: {} }])
  assert.equal((await demo.get('placement', '/usages?project_id=other', newest)).status, 403)

  const unknown = await admin.get('placement', '/resource_providers', at('1.99'))
  const [error] = unknown.body.errors
  assert.deepEqual([unknown.status, error.max_version, error.min_version], [406, '1.39', '1.0'])
  const missing = await admin.get('placement', `/resource_providers/${newId()}`, newest)
  assert.deepEqual(
    [missing.status, missing.body.errors[0].code, missing.body.errors[0].title],
    [404, 'placement.undefined_code', 'Not Found'],
  )
  assert.equal((await admin.get('placement', `/resource_providers/${newId()}`)).body.errors[0].code, undefined)
  const method = await admin.call('DELETE', 'placement', '/resource_providers', undefined, newest)
  assert.deepEqual([method.status, method.headers.allow], [405, 'GET, POST'])
  const { headers } = await admin.get('placement', '/resource_classes', newest)
  assert.equal(headers['cache-control'], 'no-cache')
  assert.ok(Number.isFinite(Date.parse(String(headers['last-modified']))))
  const bad = await admin.post('placement', '/resource_providers', { name: 'x', uuid: 'y' }, newest)
  assert.equal(bad.status, 400)
  assert.match(bad.body.errors[0].detail, /^JSON does not validate: .*uuid/)
})

test('what the scheduler takes is what the API shows, and the other way round', async (t) => {
  const cloud = await startComputeCloud(t, { hosts: [{ vcpus: 4, memoryMiB: 4096, diskGiB: 40 }] })
  const { placement } = cloud.control.services
  await cloud.until(async () => (await placement.providers(cloud.database.read)).length === 1)
  const admin = cloud.as('admin')
  const { body } = await admin.get('placement', '/resource_providers', newest)
  const [provider] = body.resource_providers
  const hypervisors = await admin.get('compute', '/v2.1/os-hypervisors', { 'openstack-api-version': 'compute 2.53' })
  assert.deepEqual([provider.name, provider.uuid], ['host1', hypervisors.body.hypervisors[0].id])
  const path = `/resource_providers/${provider.uuid}/inventories/VCPU`
  const { body: vcpus } = await admin.get('placement', path, newest)
  assert.deepEqual([vcpus.total, vcpus.allocation_ratio, vcpus.max_unit], [4, 16, 4])
  const answer = await admin.put('placement', path, { ...vcpus, allocation_ratio: 1 }, newest)
  assert.equal(answer.status, 200)
  // The host tells of itself again, and the operator's ratio stays.
  await placement.recordHost('host1', new Map([['VCPU', { total: 5, reserved: 0, allocationRatio: 16 }]]))
  const after = await admin.get('placement', path, newest)
  assert.deepEqual([after.body.total, after.body.allocation_ratio], [5, 1])
  await placement.recordHost('host1', new Map([['VCPU', { total: 5, reserved: 0, allocationRatio: 8 }]]))
  assert.equal((await admin.get('placement', path, newest)).body.allocation_ratio, 8)
})
