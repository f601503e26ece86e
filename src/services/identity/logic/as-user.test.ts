import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'

test('the context of a user has the scope that was named, or their only one, with the roles of now', async (t) => {
  const { identity, seeded } = await startIdentity(t)
  const demo = await identity.contextAs({ user: 'demo' })
  assert.equal(demo.projectId, seeded.demoProjectId)
  assert.ok(demo.roles.includes('member') && !demo.isAdmin)
  const elsewhere = await identity.contextAs({ user: seeded.demoUserId, project: 'admin' })
  assert.deepEqual([elsewhere.projectId, elsewhere.roles], [seeded.adminProjectId, []])
  const admin = await identity.contextAs({ user: 'admin', project: 'admin' })
  assert.ok(admin.isAdmin)
  assert.equal((await identity.contextAs({ user: 'demo', system: true })).system, true)
  assert.equal((await identity.contextAs({ user: 'demo', domain: 'Default' })).domainId, 'default')
  await assert.rejects(identity.contextAs({ user: 'nobody' }), { kind: 'notFound' })
  await assert.rejects(identity.contextAs({ user: 'demo', project: 'nowhere' }), { kind: 'notFound' })
  await assert.rejects(identity.contextAs({ user: 'demo', domain: 'nowhere' }), { kind: 'notFound' })
})
