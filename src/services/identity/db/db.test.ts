import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import type { Db } from '../../../platform/db/database.ts'
import { migrate } from '../../../platform/db/migrate.ts'
import * as assignmentRows from './assignments.ts'
import * as catalogRows from './catalog.ts'
import * as groupRows from './groups.ts'
import type { Filter } from './lists.ts'
import { migrations } from './migrations/index.ts'
import * as projectRows from './projects.ts'
import * as revocationRows from './revocations.ts'
import * as roleRows from './roles.ts'
import * as userRows from './users.ts'

const project = (id: string, more: Partial<projectRows.Project> = {}): projectRows.Project => ({
  id,
  name: id,
  domainId: 'default',
  parentId: 'default',
  isDomain: false,
  enabled: true,
  description: '',
  tags: [],
  options: {},
  extra: {},
  ...more,
})
const user = (id: string): userRows.User => ({
  id,
  domainId: 'default',
  name: id,
  enabled: true,
  defaultProjectId: null,
  passwordHash: 'h1',
  passwordCreatedAt: null,
  passwordExpiresAt: null,
  createdAt: '2026-11-21T00:00:00.000000Z',
  options: {},
  extra: { mood: 'good' },
})
const all = { filters: [], marker: null, limit: null }

eachDatabase((name, open) => {
  const on = async (t: Parameters<typeof open>[0]) => {
    const database = await open(t)
    await migrate(database, [{ service: 'identity', migrations }])
    return database
  }

  test(`${name}: a name is taken once in a domain, and what is kept comes back as it was`, async (t) => {
    const { read, write } = await on(t)
    const one = project('p1', { tags: ['a', 'b'], extra: { x: [1, null] }, options: { immutable: true } })
    await write(async (trx) => {
      assert.equal(await projectRows.insert(trx, one), true)
      assert.equal(await projectRows.insert(trx, project('p2', { name: 'p1' })), false)
      assert.equal(await projectRows.insert(trx, project('p1', { name: 'other' })), false)
      assert.equal(await projectRows.insert(trx, project('p3', { name: 'p1', domainId: 'd2' })), true)
      assert.equal(await userRows.insert(trx, user('u1')), true)
      assert.equal(await userRows.insert(trx, { ...user('u2'), name: 'u1' }), false)
    })
    assert.deepEqual(await projectRows.find(read, 'p1'), one)
    assert.deepEqual(await projectRows.findByName(read, 'd2', 'p1'), project('p3', { name: 'p1', domainId: 'd2' }))
    assert.equal(await projectRows.find(read, 'p2'), undefined)
    assert.deepEqual(await userRows.find(read, 'u1'), user('u1'))
  })

  const filters: [filter: Omit<Filter, 'column'>, names: string[]][] = [
    [{ operator: 'equals', value: 'Ann' }, ['Ann']],
    [{ operator: 'iequals', value: 'aNN' }, ['Ann', 'ann']],
    [{ operator: 'contains', value: 'n%' }, ['an%n']],
    [{ operator: 'icontains', value: 'NN' }, ['Ann', 'ann', 'anna']],
    [{ operator: 'startswith', value: 'an' }, ['an%n', 'ann', 'anna']],
    [{ operator: 'endswith', value: 'n' }, ['Ann', 'an%n', 'ann']],
    [{ operator: 'endswith', value: 'longer than any' }, []],
    [{ operator: 'iendswith', value: 'NA' }, ['anna']],
  ]
  test(`${name}: filters mean the same`, async (t) => {
    const { read, write } = await on(t)
    await write(async (trx) => {
      for (const each of ['Ann', 'ann', 'anna', 'an%n']) await userRows.insert(trx, user(each))
    })
    for (const [filter, names] of filters) {
      const found = await userRows.list(read, { ...all, filters: [{ column: 'name', ...filter }] })
      assert.deepEqual(found.map((each) => each.name).sort(), names, JSON.stringify(filter))
    }
    const page = await userRows.list(read, { filters: [], marker: 'an%n', limit: 1 })
    assert.equal(page.length, 1)
  })

  test(`${name}: tags are found whole`, async (t) => {
    const { read, write } = await on(t)
    await write(async (trx) => {
      await projectRows.insert(trx, project('1', { tags: ['ab', 'c'] }))
      await projectRows.insert(trx, project('2', { tags: ['a'] }))
      await projectRows.insert(trx, project('3'))
    })
    const none = { all: [], any: [], notAll: [], notAny: [] }
    const ids = async (tags: Partial<projectRows.TagFilters>) =>
      (await projectRows.list(read, all, { ...none, ...tags })).map((each) => each.id)
    assert.deepEqual(await ids({ all: ['a'] }), ['2'])
    assert.deepEqual(await ids({ all: ['c', 'ab'] }), ['1'])
    assert.deepEqual(await ids({ any: ['a', 'c'] }), ['1', '2'])
    assert.deepEqual(await ids({ notAll: ['ab', 'c'] }), ['2', '3'])
    assert.deepEqual(await ids({ notAny: ['a', 'c'] }), ['3'])
  })

  test(`${name}: the tree of projects, upwards and downwards`, async (t) => {
    const { read, write } = await on(t)
    await write(async (trx) => {
      await projectRows.insert(trx, project('default', { domainId: null, parentId: null, isDomain: true }))
      await projectRows.insert(trx, project('a'))
      await projectRows.insert(trx, project('b', { parentId: 'a' }))
      await projectRows.insert(trx, project('c', { parentId: 'b' }))
      await userRows.insert(trx, { ...user('u'), defaultProjectId: 'c' })
    })
    const ids = (found: projectRows.Project[]) => found.map((each) => each.id)
    assert.deepEqual(ids(await projectRows.ancestors(read, project('c', { parentId: 'b' }))), ['b', 'a', 'default'])
    assert.deepEqual(ids(await projectRows.descendants(read, 'default')), ['a', 'b', 'c'])
    assert.deepEqual(ids(await projectRows.children(read, 'a')), ['b'])
    await write((trx) => projectRows.remove(trx, ['c']))
    assert.equal((await userRows.find(read, 'u'))?.defaultProjectId, null)
  })

  test(`${name}: assignments and memberships may be made twice, and are gone once`, async (t) => {
    const { read, write } = await on(t)
    const given: assignmentRows.Assignment = {
      actor: { kind: 'group', id: 'g' },
      target: { kind: 'project', id: 'p' },
      roleId: 'r',
      inherited: false,
    }
    await write(async (trx) => {
      for (let i = 0; i < 2; i++) {
        await assignmentRows.insert(trx, given)
        await assignmentRows.insert(trx, { ...given, inherited: true })
        await groupRows.addMember(trx, 'g', 'u')
        await roleRows.imply(trx, 'r', 's')
      }
    })
    const list = (which: assignmentRows.Which, db: Db = read) => assignmentRows.list(db, which)
    assert.deepEqual(await list({ inherited: false }), [given])
    assert.equal((await list({ actors: [given.actor], targets: [given.target], roleIds: ['r'] })).length, 2)
    assert.deepEqual(await list({ actors: [{ kind: 'user', id: 'g' }] }), [])
    assert.deepEqual(await list({ actors: [] }), [])
    assert.deepEqual(
      await groupRows.membersOf(read, ['g', 'h']),
      new Map([
        ['g', ['u']],
        ['h', []],
      ]),
    )
    assert.deepEqual(await roleRows.implications(read), new Map([['r', ['s']]]))
    await write(async (trx) => {
      assert.equal(await assignmentRows.remove(trx, given), true)
      assert.equal(await assignmentRows.remove(trx, given), false)
      assert.equal(await groupRows.removeMember(trx, 'g', 'u'), true)
      assert.equal(await groupRows.removeMember(trx, 'g', 'u'), false)
      assert.equal(await roleRows.implyNoMore(trx, 'r', 's'), true)
    })
  })

  test(`${name}: endpoints go with their service; a password is rehashed only when it is still the same`, async (t) => {
    const { read, write } = await on(t)
    const service = { id: 's', type: 't', name: null, description: null, enabled: true, extra: {} }
    const endpoint = {
      id: 'e',
      serviceId: 's',
      regionId: null,
      interface: 'public',
      url: 'u',
      enabled: true,
      extra: {},
    }
    await write(async (trx) => {
      await catalogRows.insertService(trx, service)
      await catalogRows.insertEndpoint(trx, endpoint)
      await userRows.insert(trx, user('u'))
      await userRows.rehash(trx, 'u', 'h0', 'h2')
    })
    assert.deepEqual(await catalogRows.listEndpoints(read, all), [endpoint])
    assert.equal((await userRows.find(read, 'u'))?.passwordHash, 'h1')
    await write(async (trx) => {
      await catalogRows.removeService(trx, 's')
      await userRows.rehash(trx, 'u', 'h1', 'h2')
    })
    assert.deepEqual(await catalogRows.listEndpoints(read, all), [])
    assert.equal((await userRows.find(read, 'u'))?.passwordHash, 'h2')
  })

  test(`${name}: revocations in any number, extended, read since, forgotten`, async (t) => {
    const { read, write } = await on(t)
    const at = 1_795_000_000_000
    const rows = Array.from({ length: 1201 }, (_, i) => ({
      id: `r${i}`,
      revocation: { userId: `u${i}`, scope: 'system', issuedBeforeMs: at },
    }))
    await write((trx) => revocationRows.insert(trx, rows))
    await write((trx) => revocationRows.extend(trx, ['r0'], at + 5))
    assert.deepEqual(await revocationRows.listSince(read, at + 1), [
      { userId: 'u0', scope: 'system', issuedBeforeMs: at + 5 },
    ])
    assert.equal((await revocationRows.listOlder(read, at + 1, 1)).length, 1)
    assert.equal(await write((trx) => revocationRows.removeBefore(trx, at + 1)), 1200)
  })
})
