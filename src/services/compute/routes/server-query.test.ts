import assert from 'node:assert/strict'
import { StatementSync } from 'node:sqlite'
import { test } from 'node:test'
import { latest, startComputeCloud } from '../../../../test/support/compute.ts'
import { eachDatabase } from '../../../../test/support/databases.ts'

eachDatabase((engine, open) => {
  test(`lists filter, sort and page (${engine})`, async (t) => {
    const cloud = await startComputeCloud(t, { open })
    const ids: Record<string, string> = {}
    const wanted = [
      { name: 'web-1', metadata: { tier: 'front' }, tags: ['red', 'blue'] },
      { name: 'web-2', metadata: { tier: 'front', x: 'y' }, tags: ['red'] },
      { name: 'db.1', flavorRef: '2', tags: ['green'], description: 'the data' },
    ]
    for (const server of wanted) ids[server.name] = await cloud.boot('demo', server)
    await cloud.act('demo', ids['web-2']!, { 'os-stop': null })
    await cloud.settle()
    const names = async (query: string, who: 'demo' | 'admin' = 'demo', headers: Record<string, string> = latest) => {
      const { status, body } = await cloud.as(who).get('compute', `/v2.1/servers?${query}`, headers)
      assert.equal(status, 200, `${query}: ${JSON.stringify(body)}`)
      return body.servers.map(({ name }: { name: string }) => name)
    }
    const cases: [query: string, found: string[]][] = [
      ['', ['db.1', 'web-2', 'web-1']],
      ['name=web', ['web-2', 'web-1']],
      ['name=%5Eweb-%5B0-9%5D%2B%24', ['web-2', 'web-1']],
      ['name=.1', ['db.1', 'web-1']],
      ['status=SHUTOFF', ['web-2']],
      ['status=active&status=shutoff', ['db.1', 'web-2', 'web-1']],
      ['status=SUSPENDED', []],
      ['flavor=2', ['db.1']],
      [`image=${cloud.imageId}&limit=1`, ['db.1']],
      ['tags=red', ['web-2', 'web-1']],
      ['tags=red,blue', ['web-1']],
      ['tags-any=green,blue', ['db.1', 'web-1']],
      ['not-tags=red,blue', ['db.1', 'web-2']],
      ['not-tags-any=red', ['db.1']],
      ['sort_key=display_name&sort_dir=asc', ['db.1', 'web-1', 'web-2']],
      ['sort_key=vm_state&sort_dir=asc&sort_key=display_name&sort_dir=desc', ['web-1', 'db.1', 'web-2']],
      [`limit=2&marker=${ids['web-2']}`, ['web-1']],
      [`sort_key=display_name&sort_dir=asc&marker=${ids['web-1']}`, ['web-2']],
      ['limit=0', []],
      ['locked=true', []],
      ['ip=10.0', []],
      ['changes-since=2020-01-01T00:00:00Z', ['db.1', 'web-2', 'web-1']],
      ['changes-since=2100-01-01T00:00:00', []],
      ['task_state=deleting', []],
      ['availability_zone=nova&key_name=x', []],
      // What only administrators may ask is passed over.
      ['host=nope', ['db.1', 'web-2', 'web-1']],
      ['deleted=1', ['db.1', 'web-2', 'web-1']],
    ]
    for (const [query, found] of cases) assert.deepEqual(await names(query), found, query)
    assert.deepEqual(await names('all_tenants=1&host=nope', 'admin'), [])
    assert.deepEqual(await names("all_tenants=1&metadata={'tier':'front','x':'y'}", 'admin'), ['web-2'])
    assert.deepEqual(
      await names(`all_tenants=1&project_id=${cloud.as('demo').projectId}&uuid=${ids['db.1']}`, 'admin'),
      ['db.1'],
    )

    const page = await cloud.as('demo').get('compute', '/v2.1/servers/detail?limit=2', latest)
    assert.equal(page.body.servers.length, 2)
    const next = new URL(page.body.servers_links[0].href)
    const second = await cloud.as('demo').get('compute', next.pathname + next.search, latest)
    assert.deepEqual([second.body.servers.length, second.body.servers_links], [1, undefined])

    for (const [query, status] of [
      ['name=(', 400],
      ['limit=-1', 400],
      ['limit=x', 400],
      ['marker=nope', 400],
      ['status=NONSENSE', 400],
      ['sort_key=id', 400],
      ['sort_dir=up', 400],
      ['changes-since=yesterday', 400],
      ['changes-since=2011/01/01', 400],
      ['unknown=1', 400],
      ['all_tenants=1', 403],
      ['all_tenants=maybe', 400],
    ] as const) {
      const answer = await cloud.as('demo').get('compute', `/v2.1/servers?${query}`, latest)
      assert.equal(answer.status, status, `${query}: ${JSON.stringify(answer.body)}`)
    }
    assert.deepEqual(await names('status=NONSENSE&unknown=1', 'demo', {}), [])

    await cloud.as('demo').delete('compute', `/v2.1/servers/${ids['db.1']}`)
    await cloud.settle()
    assert.deepEqual(await names('deleted=1&all_tenants=1', 'admin'), ['db.1'])
    const changes = await cloud
      .as('demo')
      .get('compute', '/v2.1/servers/detail?changes-since=2020-01-01T00:00:00Z', latest)
    assert.deepEqual(
      changes.body.servers.map(({ status }: { status: string }) => status),
      ['DELETED', 'SHUTOFF', 'ACTIVE'],
    )
  })
})

test('a page costs the same number of queries, however long it is', async (t) => {
  const cloud = await startComputeCloud(t, {
    config: { quotas: { instances: -1, cores: -1, ramMiB: -1, keyPairs: 100 } },
  })
  await cloud.boot('demo')
  let queries = 0
  const all = StatementSync.prototype.all
  t.mock.method(StatementSync.prototype, 'all', function (this: StatementSync, ...values: Parameters<typeof all>) {
    queries++
    return all.apply(this, values)
  })
  // The least of some: the loops ask questions of their own meanwhile.
  const count = async () => {
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < 5; i++) {
      queries = 0
      const { status } = await cloud.as('demo').get('compute', '/v2.1/servers/detail', latest)
      assert.equal(status, 200)
      least = Math.min(least, queries)
    }
    return least
  }
  const one = await count()
  assert.equal((await cloud.create('demo', { min_count: 30 })).status, 202)
  await cloud.settle()
  assert.ok(one > 0)
  assert.equal(await count(), one)
})
