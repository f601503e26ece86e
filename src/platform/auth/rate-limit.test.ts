import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isoOf } from '../clock.ts'
import { createFailureLimit } from './rate-limit.ts'

const time = { ms: 1_000_000 }
const clock = { nowMs: () => time.ms, now: () => isoOf(time.ms) }

test('the door closes after the last failure allowed, for that key only, and opens as the window slides', () => {
  const limit = createFailureLimit(clock, 3, 60_000)
  for (let i = 0; i < 3; i++) {
    assert.equal(limit.retryAfterSeconds('alice'), 0)
    limit.fail('alice')
    time.ms += 10_000
  }
  assert.equal(limit.retryAfterSeconds('alice'), 30)
  assert.equal(limit.retryAfterSeconds('bob'), 0)
  time.ms += 29_500
  assert.equal(limit.retryAfterSeconds('alice'), 1)
  time.ms += 500
  assert.equal(limit.retryAfterSeconds('alice'), 0)
  limit.fail('alice')
  assert.equal(limit.retryAfterSeconds('alice'), 10)
})

test('a success forgets the failures', () => {
  const limit = createFailureLimit(clock, 1, 60_000)
  limit.fail('alice')
  limit.forget('alice')
  assert.equal(limit.retryAfterSeconds('alice'), 0)
})

test('memory is bounded: the key that failed longest ago is forgotten', () => {
  const limit = createFailureLimit(clock, 1, 60_000, 2)
  for (const key of ['a', 'b', 'a', 'c']) limit.fail(key)
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => limit.retryAfterSeconds(key) > 0),
    [true, false, true],
  )
})
