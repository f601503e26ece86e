import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCall, UsageError } from './call.ts'
import { usageOf, verbs } from './verbs.ts'

const up = verbs.up!
const openrc = verbs.openrc!

test('flags long, short and with values', () => {
  const { flags } = parseCall(up, ['-d', '--state-dir', '/x', '--port-base=100', '--no-demo'])
  assert.deepEqual({ ...flags }, { detach: true, 'state-dir': '/x', 'port-base': '100', 'no-demo': true })
})

test('a verb takes its operand', () => {
  assert.equal(parseCall(openrc, ['demo']).operand, 'demo')
  assert.equal(parseCall(openrc, []).operand, undefined)
})

const refused: [string, typeof up, string[], RegExp][] = [
  ['an unknown flag', up, ['--deatch'], /Unknown option '--deatch'/],
  ['an unknown letter', up, ['-x'], /Unknown option '-x'/],
  ['a value that is missing', up, ['--bind'], /--bind/],
  ['a value where none goes', up, ['--no-demo=1'], /no-demo/],
  ['a word too many', up, ['now'], /Unexpected argument 'now'/],
  ['a second operand', openrc, ['demo', 'admin'], /Unexpected argument 'admin'/],
]
for (const [name, verb, words, message] of refused)
  test(`refused: ${name}`, () => {
    assert.throws(
      () => parseCall(verb, words),
      (error) => error instanceof UsageError && message.test(error.message),
    )
  })

test('the usage line shows what users may say, and nothing else', () => {
  assert.equal(
    usageOf('up'),
    'usage: berth up [-d] [--state-dir DIR] [--config FILE] [--bind ADDR] [--port-base N] [--no-demo]',
  )
  assert.equal(usageOf('openrc'), 'usage: berth openrc [--state-dir DIR] [--config FILE] [USER]')
  assert.equal(usageOf('test'), 'usage: berth test [ARGS]')
  assert.match(usageOf(''), /^usage: berth up\|down\|destroy\|/)
})
