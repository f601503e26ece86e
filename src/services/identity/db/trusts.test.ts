import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { migrate } from '../../../platform/db/migrate.ts'
import { migrations } from './migrations/index.ts'
import * as trustRows from './trusts.ts'

const trust = (id: string, more: Partial<trustRows.Trust> = {}): trustRows.Trust => ({
  id,
  trustorId: 'u1',
  trusteeId: 'u2',
  projectId: 'p1',
  impersonation: true,
  roleIds: ['r1'],
  expiresAt: null,
  remainingUses: null,
  redelegationCount: 0,
  redelegatedTrustId: null,
  ...more,
})
const all = { filters: [], marker: null, limit: null }

eachDatabase((name, open) => {
  test(`${name}: trusts, their uses, and those made from them`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'identity', migrations }])
    const { read, write } = database
    const given = [
      trust('t1', { remainingUses: 2, expiresAt: '2027-01-01T00:00:00.000000Z' }),
      trust('t2', { redelegatedTrustId: 't1' }),
      trust('t3', { redelegatedTrustId: 't2', projectId: null, roleIds: [] }),
      trust('t4', { trustorId: 'u3' }),
      trust('t5', { trustorId: 'u4', projectId: 'p2' }),
    ]
    await write(async (trx) => {
      for (const each of given) await trustRows.insert(trx, each)
    })
    assert.deepEqual(await trustRows.list(read, all), given)
    const uses = [true, true, false]
    for (const left of uses) assert.equal(await write((trx) => trustRows.use(trx, 't1')), left)
    assert.equal((await trustRows.find(read, 't1'))?.remainingUses, 0)
    assert.equal(await write((trx) => trustRows.use(trx, 't2')), false)
    assert.deepEqual(await write((trx) => trustRows.removeTree(trx, 't1')), ['t1', 't2', 't3'])
    await write((trx) => trustRows.removeOfProjects(trx, ['p2']))
    assert.deepEqual(await trustRows.list(read, all), [given[3]])
    await write((trx) => trustRows.removeOfUsers(trx, ['u2']))
    assert.deepEqual(await trustRows.list(read, all), [])
  })
})
