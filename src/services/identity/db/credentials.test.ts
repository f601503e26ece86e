import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { migrate } from '../../../platform/db/migrate.ts'
import * as credentialRows from './credentials.ts'
import { migrations } from './migrations/index.ts'

const credential = (id: string, more: Partial<credentialRows.Credential> = {}): credentialRows.Credential => ({
  id,
  userId: 'u1',
  projectId: null,
  type: 'cert',
  sealed: 'x',
  accessHash: null,
  extra: {},
  ...more,
})

eachDatabase((name, open) => {
  test(`${name}: an access key is taken once; credentials go with their user and project`, async (t) => {
    const { read, write } = await open(t).then(async (database) => {
      await migrate(database, [{ service: 'identity', migrations }])
      return database
    })
    const ec2 = credential('c1', { type: 'ec2', projectId: 'p1', accessHash: 'h1', extra: { a: [1] } })
    await write(async (trx) => {
      assert.equal(await credentialRows.insert(trx, ec2), true)
      assert.equal(await credentialRows.insert(trx, credential('c2', { accessHash: 'h1' })), false)
      assert.equal(await credentialRows.insert(trx, credential('c1')), false)
      assert.equal(await credentialRows.insert(trx, credential('c3')), true)
      assert.equal(await credentialRows.insert(trx, credential('c4', { userId: 'u2' })), true)
    })
    assert.deepEqual(await credentialRows.findByAccess(read, 'h1'), ec2)
    assert.deepEqual(await credentialRows.listOfUser(read, 'u1', 'ec2'), [ec2])
    const ids = async (page: Partial<Parameters<typeof credentialRows.list>[1]> = {}) =>
      (await credentialRows.list(read, { filters: [], marker: null, limit: null, ...page })).map(({ id }) => id)
    assert.deepEqual(await ids({ marker: 'c1', limit: 1 }), ['c3'])
    await write((trx) => credentialRows.update(trx, { ...ec2, type: 'cert', accessHash: null }))
    assert.equal(await credentialRows.findByAccess(read, 'h1'), undefined)
    await write(async (trx) => {
      await credentialRows.removeOfProjects(trx, ['p1'])
      await credentialRows.removeOfUsers(trx, ['u2'])
    })
    assert.deepEqual(await ids(), ['c3'])
    assert.equal(await write((trx) => credentialRows.remove(trx, 'c3')), true)
    assert.equal(await write((trx) => credentialRows.remove(trx, 'c3')), false)
  })
})
