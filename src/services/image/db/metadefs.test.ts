import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { migrate } from '../../../platform/db/migrate.ts'
import * as items from './metadef-items.ts'
import * as namespaces from './metadef-namespaces.ts'
import { migrations } from './tables.ts'

eachDatabase((name, open) => {
  test(`${name}: namespaces in pages, their contents in order, and all gone together`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'image', migrations }])
    const now = '2026-01-01T00:00:00.000000Z'
    const of = (id: string, displayName: string | null): namespaces.Namespace => ({
      ...{ id, namespace: `ns-${id}`, displayName, description: null, visibility: 'private', protected: id === '2' },
      ...{ owner: 'p', createdAt: now, updatedAt: now },
    })
    const item = (kind: 'tag' | 'resource_type', name: string) => ({
      ...{ namespaceId: '1', kind, name, value: { name }, createdAt: now, updatedAt: now },
    })
    await database.write(async (trx) => {
      for (const one of [of('1', null), of('2', 'x'), of('3', 'a')])
        assert.equal(await namespaces.insert(trx, one), true)
      assert.equal(await namespaces.insert(trx, { ...of('4', null), namespace: 'ns-1' }), false)
      for (const tag of ['b', 'A', 'c']) assert.equal(await items.insert(trx, item('tag', tag)), true)
      assert.equal(await items.insert(trx, item('tag', 'B')), false)
      await items.insert(trx, item('resource_type', 'T'))
      await items.ensureResourceType(trx, 'T', now)
      await items.ensureResourceType(trx, 'T', now)
    })
    const db = database.read
    const page = async (more: Partial<namespaces.NamespaceQuery>, projectId = 'p') => {
      const query = {
        visibility: undefined,
        resourceTypes: undefined,
        sortKey: 'display_name',
        direction: 'asc',
      } as const
      const found = await namespaces.list(
        db,
        { projectId, isAdmin: false },
        { ...query, after: undefined, limit: 9, ...more },
      )
      return found.map(({ id }) => id)
    }
    assert.deepEqual(await page({}), ['1', '3', '2'])
    assert.deepEqual(await page({ after: of('1', null), limit: 1 }), ['3'])
    assert.deepEqual(await page({ sortKey: 'protected', direction: 'desc' }), ['2', '3', '1'])
    assert.deepEqual(await page({ sortKey: 'protected', after: of('1', null) }), ['3', '2'])
    assert.deepEqual(await page({ resourceTypes: ['T'] }), ['1'])
    assert.deepEqual(await page({}, 'q'), [])
    const tags = await items.list(db, '1', 'tag', {
      sortKey: 'created_at',
      direction: 'desc',
      after: undefined,
      limit: 2,
    })
    assert.deepEqual(
      tags.map((tag) => tag.name),
      ['c', 'A'],
    )
    const rest = await items.list(db, '1', 'tag', {
      sortKey: 'created_at',
      direction: 'desc',
      after: tags[1],
      limit: 2,
    })
    assert.deepEqual(
      rest.map((tag) => tag.name),
      ['b'],
    )
    assert.equal((await items.associations(db, ['1', '2'])).length, 1)
    await database.write((trx) => namespaces.remove(trx, '1'))
    assert.equal(await items.find(db, '1', 'tag', 'a'), undefined)
    assert.deepEqual(
      (await items.resourceTypes(db)).map((type) => type.name).filter((type) => !type.startsWith('OS::')),
      ['T'],
    )
  })
})
