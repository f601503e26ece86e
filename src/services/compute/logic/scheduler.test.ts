import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ComputeCloud, latest, startComputeCloud } from '../../../../test/support/compute.ts'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { testConfig } from '../../../../test/support/ground.ts'
import { CloudError } from '../../../platform/errors.ts'
import { noValidHost } from './decisions.ts'
import { checkFilters, type HostRefusal, nearby, standingRefusal, type Wanted } from './filters.ts'
import { hostQuery } from './host-query.ts'
import type { HostState } from './host-view.ts'
import { specMatches } from './spec-match.ts'

const plain: Wanted = {
  ...{ projectId: 'p', zone: null, forcedHost: null, image: { properties: {} } },
  flavor: { name: 'm1', extraSpecs: {} },
}
const host = (of: Partial<HostState> = {}): HostState => ({
  ...{ name: 'a', up: true, disabled: false, disabledReason: null, forcedDown: false, zone: 'nova' },
  ...{ facts: { architecture: 'x86_64', vcpus: 4, hostIp: '10.1.2.3' }, aggregates: [], failedBuilds: 0, ioOps: 0 },
  ...of,
})
const inAggregate = (metadata: Record<string, string>) =>
  host({ aggregates: [{ id: 1, uuid: 'u', name: 'x', metadata, hosts: ['a'], createdAt: '', updatedAt: null }] })
const flavor = (extraSpecs: Record<string, string>) => ({ flavor: { name: 'm1', extraSpecs } })
const image = (properties: Record<string, string>) => ({ image: { properties } })

test('each standing filter says what it found', () => {
  const cases: [filter: string, host: HostState, wanted: Partial<Wanted>, reason: string | null][] = [
    ['ComputeFilter', host({ up: false }), {}, 'its service has not been heard of lately'],
    ['ComputeFilter', host({ forcedDown: true }), {}, 'its service was forced down'],
    ['ComputeFilter', host({ disabled: true, disabledReason: 'disk' }), {}, 'its service is disabled (disk)'],
    ['ComputeFilter', host({ disabled: true }), { forcedHost: 'a' }, null],
    ['ForcedHost', host(), { forcedHost: 'b' }, 'b was asked for'],
    ['AvailabilityZoneFilter', host(), { zone: 'z' }, 'wanted z, is in nova'],
    ['ImagePropertiesFilter', host(), image({ hw_architecture: 'arm64' }), 'architecture: wanted arm64, is x86_64'],
    [
      'ComputeCapabilitiesFilter',
      host(),
      flavor({ 'capabilities:vcpus_total': '>= 8' }),
      'vcpus_total: wanted >= 8, is 4',
    ],
    ['ComputeCapabilitiesFilter', host(), flavor({ 'capabilities:vcpus_total': '<= 8', other: '1' }), null],
    ['ComputeCapabilitiesFilter', host(), flavor({ 'capabilities:gpu': 'a' }), 'gpu: wanted a, it has none'],
    ['ComputeCapabilitiesFilter', host(), flavor({ 'capabilities:cpu_info:arch': '<or> arm64 <or> x86_64' }), null],
    ['AggregateInstanceExtraSpecsFilter', inAggregate({ ssd: 'true' }), flavor({ ssd: 'true' }), null],
    [
      'AggregateInstanceExtraSpecsFilter',
      inAggregate({ ssd: 'no' }),
      flavor({ ssd: 'true' }),
      'ssd: wanted true, is no',
    ],
    [
      ...(['AggregateInstanceExtraSpecsFilter', host()] as const),
      ...([flavor({ 'aggregate_instance_extra_specs:ssd': '1' }), 'ssd: wanted 1, no aggregate of it says'] as const),
    ],
    ['AggregateImagePropertiesIsolation', inAggregate({ os: 'a,b' }), image({ os: 'b' }), null],
    [
      'AggregateImagePropertiesIsolation',
      inAggregate({ os: 'a' }),
      image({ os: 'b' }),
      'os: the image says b, it is for a',
    ],
    ['AggregateMultiTenancyIsolation', inAggregate({ filter_tenant_id2: 'q,p' }), {}, null],
    ['AggregateMultiTenancyIsolation', inAggregate({ filter_tenant_id: 'q' }), {}, 'it is kept for other projects'],
    ['AggregateTypeAffinityFilter', inAggregate({ instance_type: 'm1,m2' }), {}, null],
    ['AggregateTypeAffinityFilter', inAggregate({ instance_type: 'm2' }), {}, 'it is for the flavors m2'],
  ]
  for (const [filter, state, wanted, reason] of cases) {
    const refusal = standingRefusal(state, { ...plain, ...wanted }, new Set([filter]))
    assert.deepEqual(refusal, reason === null ? null : { host: 'a', filter, reason })
    if (filter !== 'ForcedHost')
      assert.equal(standingRefusal(state, { ...plain, ...wanted, forcedHost: null }, new Set()), null)
  }
})

test('operators of extra specs, queries, near addresses, names of filters', () => {
  for (const [value, wanted, matches] of [
    ['4', '= 3', true],
    ['4', '== 4.0', true],
    ['4', '!= 4', false],
    ['b', 's> a', true],
    ['abc', '<in> bc', true],
    ['abc', '<all-in> a c', true],
    ['4', '4', true],
    ['4', '>=', false],
  ] as const) {
    assert.equal(specMatches(value, wanted), matches, `${value} ${wanted}`)
  }
  const ask = (query: unknown) => hostQuery(JSON.stringify(query))?.({ free_ram_mb: 1000, host: 'a' })
  assert.equal(ask(['and', ['>=', '$free_ram_mb', 500], ['in', '$host', 'b', 'a']]), true)
  assert.equal(ask(['or', ['<', '$free_ram_mb', 500], ['not', ['=', '$host', 'a']]]), false)
  assert.equal(ask(['=', '$nothing', 1]), false)
  assert.equal(hostQuery('['), null)
  assert.equal(nearby(host(), '10.1.0.0', '/16'), null)
  assert.match(nearby(host(), '10.2.0.0', '/16') ?? '', /10\.1\.2\.3 is not in/)
  checkFilters(testConfig.scheduler.enabledFilters)
  assert.throws(() => checkFilters('ComputeFilter,RamFilter'), CloudError)
})

test('a fault names twenty hosts and counts the rest', () => {
  const refused: HostRefusal[] = Array.from({ length: 30 }, (_, i) => ({
    ...{ host: `h${i}`, filter: i < 25 ? 'ComputeFilter' : 'Placement', reason: 'why' },
  }))
  const text = noValidHost(refused)
  assert.match(
    text,
    /h0: ComputeFilter: why; .*h19: .*; and 10 more \(refused in all: ComputeFilter 25, Placement 5\)$/,
  )
  assert.ok(text.length < 1000)
})

const hosts = [
  { vcpus: 8, memoryMiB: 8192 },
  { vcpus: 8, memoryMiB: 4608 },
  { vcpus: 8, memoryMiB: 4096 },
]

test('a server goes where most is free, and why is told; nowhere, and why is told too', async (t) => {
  const cloud = await startComputeCloud(t, { hosts, config: { ramAllocationRatio: 1 } })
  const admin = cloud.as('admin')
  const { compute } = cloud.control.services
  const first = await cloud.boot('admin')
  assert.equal((await cloud.show('admin', first))['OS-EXT-SRV-ATTR:host'], 'host1')
  const { lines } = await compute.explain(first)
  assert.equal(lines[0], 'host host1')
  assert.match(lines[1] ?? '', /3 hosts, 3 passed every filter$/)
  assert.match(lines[3] ?? '', /^host +weight +RAM +CPU +Disk +IoOps/)
  assert.match(lines[4] ?? '', /^host1 \* +1\.000 +1\.000 \(/)

  const all = (await admin.get('compute', '/v2.1/os-services', latest)).body.services
  const service = all.find((each: { host: string }) => each.host === 'host3')
  await admin.put(
    'compute',
    `/v2.1/os-services/${service.id}`,
    { status: 'disabled', disabled_reason: 'mended' },
    latest,
  )
  const big = await admin.post('compute', '/v2.1/flavors', {
    flavor: { name: 'big', ram: 7500, vcpus: 1, disk: 1, extra_specs: undefined },
  })
  const flavorRef = big.body.flavor.id
  const failed = await cloud.boot('admin', { flavorRef, name: 'big' })
  const { status, fault } = await cloud.show('admin', failed)
  assert.equal(status, 'ERROR')
  assert.match(
    fault.message,
    /host2: MEMORY_MB: wanted 7500, free \d+ of \d+; host3: ComputeFilter: its service is disabled \(mended\)/,
  )
  assert.match(fault.details, /^host +filter +why\nhost1 +Placement +MEMORY_MB: wanted 7500/)
  const why = await compute.explain('big')
  assert.deepEqual(why.lines[0], 'no host')
  assert.match(why.lines[1] ?? '', /refused by Placement 2, ComputeFilter 1$/)
  await assert.rejects(compute.explain('nobody'), /could not be found/)
})

test('the hints same_host and different_host, and others when their filters are on', async (t) => {
  const names = `${testConfig.scheduler.enabledFilters},JsonFilter,NumInstancesFilter`
  const scheduler = { ...testConfig.scheduler, enabledFilters: names, maxInstancesPerHost: 3 }
  const cloud = await startComputeCloud(t, { hosts, config: { scheduler } })
  const hostOf = async (id: string) => (await cloud.show('admin', id))['OS-EXT-SRV-ATTR:host']
  const hinted = async (hints: object) => {
    const server = { name: 'h', imageRef: cloud.imageId, flavorRef: '1', networks: 'none' }
    const body = { server, 'os:scheduler_hints': hints }
    const answer = await cloud.as('admin').post('compute', '/v2.1/servers', body, latest)
    assert.equal(answer.status, 202, JSON.stringify(answer.body))
    await cloud.settle()
    return answer.body.server.id as string
  }
  const first = await cloud.boot('admin')
  const home = await hostOf(first)
  const beside = await hinted({ same_host: first })
  assert.equal(await hostOf(beside), home)
  const away = await hinted({ different_host: [first] })
  assert.notEqual(await hostOf(away), home)
  const nowhere = await hinted({ same_host: first, different_host: first })
  const { fault } = await cloud.show('admin', nowhere)
  assert.match(fault.message, new RegExp(`${home}: DifferentHostFilter: a server of the hint different_host is on it`))
  assert.match(fault.message, /SameHostFilter: no server of the hint same_host is on it/)

  assert.equal(await hostOf(await hinted({ query: '["=", "$host", "host3"]' })), 'host3')
  assert.equal(await hostOf(await hinted({ query: ['<', '$free_ram_mb', 1] })), null)
  assert.equal(await hostOf(await hinted({ same_host: first })), home)
  const full = await cloud.show('admin', await hinted({ same_host: first }))
  assert.match(full.fault.message, new RegExp(`${home}: NumInstancesFilter: 3 servers of 3`))
})

eachDatabase((engine, open) => {
  test(`100 creates at once at the last 5 places: exactly 5 succeed (${engine})`, async (t) => {
    const cloud = await startComputeCloud(t, {
      ...{ open, hosts: [{ memoryMiB: 2200 }, { memoryMiB: 1800 }] },
      config: { ramAllocationRatio: 1, quotas: { instances: -1, cores: -1, ramMiB: -1, keyPairs: 100 } },
    })
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => cloud.create('admin', { name: `n${i}` })))
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [202])
    await cloud.settle()
    assert.deepEqual(await tally(cloud), { ACTIVE: room(2200) + room(1800), ERROR: 100 - room(2200) - room(1800) })
    const { body } = await cloud.as('admin').get('compute', '/v2.1/servers/detail?status=ACTIVE', latest)
    for (const { id } of body.servers) await cloud.as('admin').delete('compute', `/v2.1/servers/${id}`)
    await cloud.settle()
    const { placement } = cloud.control.services
    assert.equal((await placement.usages(cloud.database.read)).size, 0)
  })
})

/** Servers of 512 MiB that a host takes, 512 being kept for itself. */
const room = (memoryMiB: number): number => Math.floor((memoryMiB - 512) / 512)

async function tally(cloud: ComputeCloud): Promise<Record<string, number>> {
  const { body } = await cloud.as('admin').get('compute', '/v2.1/servers/detail', latest)
  const servers = body.servers as { status: string }[]
  return Object.fromEntries([...Map.groupBy(servers, ({ status }) => status)].map(([name, of]) => [name, of.length]))
}
