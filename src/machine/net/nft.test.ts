import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Fragment, nftChanges } from './nft.ts'

const of = (fragments: Record<string, Fragment>) => new Map(Object.entries(fragments))
const web: Fragment = {
  sets: { 'inet t members': 'set { type ipv4_addr; }' },
  chains: { 'inet t web': ['ip saddr @members accept', 'drop'] },
  elements: { 'inet t members': ['10.0.0.1', '10.0.0.2'], 'inet t ports': ['1 : goto web'] },
}

test('from nothing: names first, then rules, then what points at them', () => {
  assert.deepEqual(nftChanges(of({}), of({ web })), [
    'add set inet t members { type ipv4_addr; }',
    'add chain inet t web',
    'add rule inet t web ip saddr @members accept',
    'add rule inet t web drop',
    'add element inet t members { 10.0.0.1, 10.0.0.2 }',
    'add element inet t ports { 1 : goto web }',
  ])
})

test('to nothing: what points at a chain goes before it, and a set takes its elements along', () => {
  assert.deepEqual(nftChanges(of({ web }), of({})), [
    'flush chain inet t web',
    'delete element inet t ports { 1 }',
    'delete chain inet t web',
    'delete set inet t members',
  ])
})

const cases: { name: string; after: Fragment; changes: string[] }[] = [
  { name: 'the same object', after: web, changes: [] },
  { name: 'an equal one', after: structuredClone(web), changes: [] },
  {
    name: 'a member less and one more',
    after: { ...web, elements: { ...web.elements, 'inet t members': ['10.0.0.2', '10.0.0.3'] } },
    changes: ['delete element inet t members { 10.0.0.1 }', 'add element inet t members { 10.0.0.3 }'],
  },
  {
    name: 'another rule: the chain is written anew, in the same transaction',
    after: { ...web, chains: { 'inet t web': ['drop'] } },
    changes: ['flush chain inet t web', 'add rule inet t web drop'],
  },
  {
    name: 'another value under the same key',
    after: { ...web, elements: { ...web.elements, 'inet t ports': ['1 : goto other'] } },
    changes: ['delete element inet t ports { 1 }', 'add element inet t ports { 1 : goto other }'],
  },
]
for (const { name, after, changes } of cases)
  test(`a change: ${name}`, () => assert.deepEqual(nftChanges(of({ web }), of({ web: after })), changes))

test('two fragments that change one map share the command', () => {
  const port = (n: number): Fragment => ({ elements: { 'inet t ports': [`${n} : goto web`] } })
  assert.deepEqual(nftChanges(of({ a: port(1) }), of({ b: port(2), c: port(3) })), [
    'delete element inet t ports { 1 }',
    'add element inet t ports { 2 : goto web, 3 : goto web }',
  ])
})
