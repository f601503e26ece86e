import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from '../config.ts'
import { examine } from './doctor.ts'

test('every finding that is not well says what to do', async () => {
  const findings = await examine(readConfig({}, { stateDir: '/tmp/berth-doctor-none/x', portBase: '16600' }))
  const about = (word: string) => findings.filter(({ what }) => what.startsWith(word))
  for (const { level, what, advice } of findings) assert.equal(level === 'ok', advice === undefined, what)
  assert.equal(about('node')[0]?.level, 'ok')
  assert.match(about('disk')[0]?.what ?? '', / GiB free in \/tmp$/)
  assert.ok(about('kernel').length >= 1)
  assert.ok(about('limit').length >= 2)
  assert.deepEqual(
    about('ports').map(({ level }) => level),
    ['ok'],
  )
  assert.equal(about('engine')[0]?.what, 'engine: does not run; berth up starts one')
})

test('an engine that cannot be reached is to mend', async () => {
  const env = { BERTH_ENGINE_SOCKET: '/tmp/no-such-engine.sock' }
  const findings = await examine(readConfig(env, { stateDir: '/tmp/berth-doctor-none', portBase: '16600' }))
  assert.equal(findings.find(({ what }) => what.startsWith('engine'))?.level, 'fail')
})
