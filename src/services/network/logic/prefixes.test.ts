import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anyOverlap, compacted, covers, firstFreeBlock, without } from './prefixes.ts'

test('prefixes are joined, parted and searched', () => {
  const cases: [string[], string[]][] = [
    [['10.0.1.0/24', '10.0.0.0/24'], ['10.0.0.0/23']],
    [
      ['10.0.1.0/24', '10.0.2.0/24'],
      ['10.0.1.0/24', '10.0.2.0/24'],
    ],
    [['10.0.0.0/8', '10.1.2.0/24'], ['10.0.0.0/8']],
    [['2001:db8:1::/48', '2001:db8::/48'], ['2001:db8::/47']],
    [['0.0.0.0/0', '10.0.0.0/8'], ['0.0.0.0/0']],
  ]
  for (const [given, wanted] of cases) assert.deepEqual(compacted(given), wanted)
  assert.deepEqual(without(['10.0.0.0/24'], ['10.0.0.64/26']), ['10.0.0.0/26', '10.0.0.128/25'])
  assert.deepEqual(without(['10.0.0.0/24'], ['10.0.0.0/16']), [])
  assert.equal(covers(['10.0.0.0/25', '10.0.0.128/25'], '10.0.0.64/25'), true)
  assert.equal(covers(['10.0.0.0/24'], '10.0.0.0/23'), false)
  assert.equal(anyOverlap(['10.0.0.0/24'], ['10.0.0.128/32', '10.9.0.0/16']), true)
  assert.equal(anyOverlap(['10.0.0.0/24'], ['::/0']), false)
  assert.equal(firstFreeBlock(['10.0.0.0/24'], ['10.0.0.0/26'], 25), '10.0.0.128/25')
  assert.equal(firstFreeBlock(['10.0.0.0/24'], ['10.0.0.0/26'], 26), '10.0.0.64/26')
  assert.equal(firstFreeBlock(['10.0.0.0/24'], ['10.0.0.192/26', '10.0.0.0/25'], 25), null)
  assert.equal(firstFreeBlock(['2001:db8::/47'], ['2001:db8::/48'], 64), '2001:db8:1::/64')
})
