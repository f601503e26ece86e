import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'
import { createIdentity, type IdentityService } from '../index.ts'

test('a rotation seals credentials anew, while both processes go on reading and writing them', async (t) => {
  const { ground, identity, call, admin: token, seeded } = await startIdentity(t)
  const other = await createIdentity(ground)
  const round = (of: IdentityService) =>
    of.loops.find(({ name }) => name === 'identity.sealed-secrets')!.run(new AbortController().signal)
  const keys = async () =>
    (await readdir(join(ground.config.stateDir, 'keys'))).filter((name) => name.startsWith('credential-')).length
  const make = async (of: IdentityService, blob: string) => {
    const credential = { type: 'cert', blob, user_id: seeded.adminUserId }
    const headers = { 'x-auth-token': token }
    const reply = await of.app!.inject({ method: 'POST', url: '/v3/credentials', headers, payload: { credential } })
    assert.equal(reply.statusCode, 201, reply.body)
    return reply.json().credential.id as string
  }
  const blobs = async (ids: readonly string[]) =>
    Promise.all(ids.map(async (id) => (await call('GET', `/v3/credentials/${id}`, { token })).body.credential.blob))
  const ids = [await make(identity, 'first'), await make(other, 'second')]
  const { body } = await call('POST', '/v3/OS-OAUTH1/consumers', { token, body: { consumer: {} } })
  assert.ok(body.consumer.secret)
  assert.deepEqual(await round(identity), { sealed: 0 })

  ground.clock.advanceMs(1000)
  identity.rotateKeys()
  assert.ok(ground.nudged.includes('identity.sealed-secrets'))
  assert.equal(await keys(), 2)
  ids.push(await make(other, 'by the older key still'))
  assert.deepEqual(await round(identity), { sealed: 4, lost: 0 })
  assert.deepEqual(await blobs(ids), ['first', 'second', 'by the older key still'])
  ids.push(await make(other, 'late'))
  await round(other)
  ground.clock.advanceMs(11 * 60_000)
  assert.deepEqual(await round(identity), { sealed: 0, lost: 0 })
  assert.equal(await keys(), 1)
  await round(other)
  ids.push(await make(other, 'after'))
  assert.deepEqual(await blobs(ids), ['first', 'second', 'by the older key still', 'late', 'after'])
})
