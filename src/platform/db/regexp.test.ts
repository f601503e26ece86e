import assert from 'node:assert/strict'
import { test } from 'node:test'
import { regexp } from './regexp.ts'

const cases: readonly [pattern: string, found: readonly string[], notFound: readonly string[]][] = [
  ['', ['', 'a'], []],
  ['web', ['web', 'my-web-1'], ['we', 'WEB']],
  ['^web$', ['web'], ['web1', 'aweb']],
  ['^web-[0-9]+$', ['web-1', 'web-42'], ['web-', 'web-x']],
  ['a|b|cd', ['xa', 'b', 'cd'], ['c', 'd', '']],
  ['^(a|b)*c?$', ['', 'abab', 'bc', 'c'], ['abd', 'cc']],
  ['^a{2,3}$', ['aa', 'aaa'], ['a', 'aaaa']],
  ['^a{2}$', ['aa'], ['a', 'aaa']],
  ['^a{2,}$', ['aa', 'aaaaa'], ['a']],
  ['^.+\\.example$', ['a.example'], ['.example', 'aXexample']],
  ['^[^a-c]$', ['d', '-'], ['a', 'b', '']],
  ['^[]a-]+$', [']a-'], ['b']],
  ['^[[:digit:]]+\\s\\w\\D$', ['12 ax'], ['12 a1', '1a']],
  ['^(?:ab)+?$', ['ab', 'abab'], ['aba']],
  ['10\\.0', ['10.0.0.1'], ['1000']],
  ['^ü.$', ['ü😀'], ['ü']],
]

test('expressions find what they should', () => {
  for (const [pattern, found, notFound] of cases) {
    const finds = regexp(pattern)
    for (const text of found) assert.ok(finds(text), `/${pattern}/ finds ${text}`)
    for (const text of notFound) assert.ok(!finds(text), `/${pattern}/ does not find ${text}`)
  }
})

test('what is no expression is said', () => {
  for (const pattern of ['(', ')', '[a', '*a', 'a\\', '(?=a)', '\\b', 'a{3,2}', '(a{999}){999}']) {
    assert.throws(() => regexp(pattern), SyntaxError, pattern)
  }
})

test('no expression takes more than linear time', () => {
  const began = performance.now()
  assert.equal(regexp('^(a*)*(a|aa)+(.*)*b$')('a'.repeat(2000)), false)
  assert.ok(performance.now() - began < 1000)
})
