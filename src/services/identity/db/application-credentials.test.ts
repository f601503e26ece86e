import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { migrate } from '../../../platform/db/migrate.ts'
import * as accessRuleRows from './access-rules.ts'
import * as credentialRows from './application-credentials.ts'
import { migrations } from './migrations/index.ts'

const credential = (
  id: string,
  more: Partial<credentialRows.ApplicationCredential> = {},
): credentialRows.ApplicationCredential => ({
  id,
  userId: 'u1',
  name: id,
  projectId: 'p1',
  description: null,
  secretHash: 'h',
  expiresAt: null,
  unrestricted: false,
  roleIds: ['r1', 'r2'],
  ...more,
})
const all = { filters: [], marker: null, limit: null }

eachDatabase((name, open) => {
  test(`${name}: application credentials and their access rules`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'identity', migrations }])
    const { read, write } = database
    const rule = { id: 'a1', userId: 'u1', service: 'compute', method: 'GET', path: '/x' }
    await write(async (trx) => {
      assert.deepEqual(await accessRuleRows.ensure(trx, rule), rule)
      assert.deepEqual(await accessRuleRows.ensure(trx, { ...rule, id: 'a2' }), rule)
      assert.equal(await credentialRows.insert(trx, credential('c1'), ['a1']), true)
      assert.equal(await credentialRows.insert(trx, credential('c2', { name: 'c1' }), ['a1']), false)
      assert.equal(await credentialRows.insert(trx, credential('c3', { projectId: 'p2' }), []), true)
      assert.equal(await credentialRows.insert(trx, credential('c4', { userId: 'u2' }), []), true)
    })
    assert.deepEqual(await credentialRows.find(read, 'c1'), credential('c1'))
    assert.deepEqual(await credentialRows.findByName(read, 'u1', 'c3'), credential('c3', { projectId: 'p2' }))
    assert.deepEqual(await accessRuleRows.ofCredentials(read, ['c1', 'c3']), new Map([['c1', [rule]]]))
    assert.deepEqual(await accessRuleRows.list(read, 'u1', all), [rule])
    assert.equal(await accessRuleRows.isInUse(read, 'a1'), true)
    const ids = async (userId: string) => (await credentialRows.list(read, userId, all)).map(({ id }) => id)
    assert.deepEqual(await write((trx) => credentialRows.removeOfUserIn(trx, 'u1', 'p1')), ['c1'])
    assert.equal(await accessRuleRows.isInUse(read, 'a1'), false)
    await write((trx) => credentialRows.removeOfProjects(trx, ['p2']))
    assert.deepEqual(await ids('u1'), [])
    await write((trx) => credentialRows.removeOfUsers(trx, ['u1', 'u2']))
    assert.deepEqual(await ids('u2'), [])
    assert.equal(await accessRuleRows.find(read, 'a1'), undefined)
  })
})
