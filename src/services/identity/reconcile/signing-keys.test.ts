import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'
import { createIdentity, type IdentityService } from '../index.ts'

const hour = 3_600_000

test('a rotated key is taken over by the other process, and the old one outlives its tokens only', async (t) => {
  const { ground, identity, admin, tokenOf } = await startIdentity(t, { config: { tokenHours: 1 } })
  const other = await createIdentity(ground)
  const round = (of: IdentityService) =>
    of.loops.find(({ name }) => name === 'identity.signing-keys')!.run(new AbortController().signal)
  ground.clock.advanceMs(5000)
  const [newest, oldest] = identity.rotateKeys()
  assert.ok(newest && oldest && newest.kid !== oldest.kid)

  const fresh = await tokenOf('admin', 'admin-secret')
  for (const each of [identity, other])
    assert.ok(each.authenticate(admin, 'req-1') && each.authenticate(fresh, 'req-1'))
  assert.deepEqual(await round(other), { forgotten: 0 })
  ground.clock.advanceMs(hour - 10_000)
  await round(identity)
  assert.ok(identity.authenticate(fresh, 'req-1'))
  ground.clock.advanceMs(hour)
  assert.deepEqual(await round(identity), { forgotten: 1 })
  await round(other)
  assert.equal(other.authenticate(admin, 'req-1'), null)
})
