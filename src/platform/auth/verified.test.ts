import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createVerified } from './verified.ts'

test('what was added is known, what was not is not, and the oldest go first', () => {
  const verified = createVerified(10_000)
  const texts = Array.from({ length: 25_000 }, (_, i) => `token ${i}`)
  for (const [i, text] of texts.entries()) {
    assert.equal(verified.has(text), false)
    verified.add(text)
    verified.add(text)
    assert.equal(verified.has(text), true)
    if (i >= 9999) assert.equal(verified.has(texts[i - 9999]!), true)
  }
  assert.equal(verified.has(texts[0]!), false)
  assert.equal(texts.filter((text) => verified.has(text)).length, 15_000)
})
