import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { migrate } from '../../../platform/db/migrate.ts'
import { migrations } from './migrations/index.ts'
import * as oauthRows from './oauth.ts'
import * as recordRows from './password-records.ts'
import * as projectRows from './projects.ts'
import * as userRows from './users.ts'

const user: userRows.User = {
  id: 'u1',
  domainId: 'default',
  name: 'u1',
  enabled: true,
  defaultProjectId: null,
  passwordHash: 'h',
  passwordCreatedAt: null,
  passwordExpiresAt: null,
  createdAt: '2026-11-21T00:00:00.000000Z',
  options: {},
  extra: {},
}
const project: projectRows.Project = {
  id: 'p1',
  name: 'p1',
  domainId: 'default',
  parentId: 'default',
  isDomain: false,
  enabled: true,
  description: '',
  tags: [],
  options: {},
  extra: {},
}

eachDatabase((name, open) => {
  test(`${name}: the latest passwords and failures are remembered, and go with the user`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'identity', migrations }])
    const { read, write } = database
    await write(async (trx) => {
      await userRows.insert(trx, user)
      for (let i = 1; i <= 4; i++) await recordRows.remember(trx, 'u1', `h${i}`, Date.now() + i, 2)
      await recordRows.countFailure(trx, 'u1', 5)
      await recordRows.countFailure(trx, 'u1', 7)
    })
    assert.deepEqual(await recordRows.former(read, 'u1', 9), ['h4', 'h3'])
    assert.deepEqual(await recordRows.former(read, 'u1', 1), ['h4'])
    assert.deepEqual(await recordRows.failures(read, 'u1'), { count: 2, lastAtMs: 7 })
    await write((trx) => recordRows.forgetFailures(trx, 'u1'))
    assert.deepEqual(await recordRows.failures(read, 'u1'), { count: 0, lastAtMs: 0 })
    await write((trx) => userRows.remove(trx, ['u1']))
    assert.deepEqual(await recordRows.former(read, 'u1', 9), [])
  })

  test(`${name}: a request token is used once; tokens go with their consumer, or when their time is over`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'identity', migrations }])
    const { read, write } = database
    const token = { id: 't1', sealed: 's', consumerId: 'c1', projectId: 'p1', expiresAtMs: 2_000_000_000_000 }
    const granted = { userId: 'u1', verifier: 'v', roleIds: ['r1'] }
    const access = { ...token, id: 'a1', userId: 'u1', roleIds: ['r1'] }
    await write(async (trx) => {
      await projectRows.insert(trx, project)
      await userRows.insert(trx, user)
      await oauthRows.insertConsumer(trx, { id: 'c1', sealed: 's', description: null, extra: {} })
      await oauthRows.insertRequest(trx, token)
      await oauthRows.grantRequest(trx, 't1', granted)
      await oauthRows.insertAccess(trx, access)
      await oauthRows.insertAccess(trx, { ...access, id: 'a2', expiresAtMs: 1 })
    })
    assert.deepEqual(await oauthRows.findRequest(read, 't1'), { ...token, granted })
    await write(async (trx) => {
      assert.equal(await oauthRows.removeRequest(trx, 't1'), true)
      assert.equal(await oauthRows.removeRequest(trx, 't1'), false)
      await oauthRows.removeExpired(trx, 2)
    })
    assert.deepEqual(await oauthRows.listAccessOf(read, { userId: 'u1' }), [access])
    await write((trx) => oauthRows.removeConsumer(trx, 'c1'))
    assert.deepEqual(await oauthRows.listAccessOf(read, { userId: 'u1' }), [])
  })
})
