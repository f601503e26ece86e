import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest, suggestion } from './words.ts'

const verbs = ['up', 'down', 'destroy', 'status', 'openrc', 'doctor']
const cases: [string, string | undefined][] = [
  ['dwon', 'down'],
  ['dow', 'down'],
  ['STATUS', 'status'],
  ['statu', 'status'],
  ['destory', 'destroy'],
  ['u', 'up'],
  ['restart', undefined],
  ['', undefined],
]
for (const [typed, meant] of cases)
  test(`'${typed}' was meant to be ${meant ?? 'nothing known'}`, () => assert.equal(nearest(typed, verbs), meant))

test('a suggestion reads on', () => {
  assert.equal(suggestion('opnrc', verbs), '; did you mean openrc?')
  assert.equal(suggestion('frobnicate', verbs), '')
})
