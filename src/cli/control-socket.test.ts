import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { askControl, serveControl } from './control-socket.ts'
import { statePaths } from './state.ts'

test('the running process answers on a socket of its own', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-control-'))
  t.after(() => rmSync(dir, { recursive: true }))
  assert.deepEqual(await askControl(dir, 'status'), { state: 'off' })
  writeFileSync(statePaths(dir).control, '') // a leftover

  let ready = false
  const control = await serveControl(dir, {
    status: async () => (ready ? { loops: 3 } : null),
    echo: async (said) => ({ said }),
    broken: () => Promise.reject(new Error('the database is away')),
  })
  assert.equal(statSync(statePaths(dir).control).mode & 0o777, 0o600)
  assert.deepEqual(await askControl(dir, 'status'), { state: 'starting' })
  ready = true
  assert.deepEqual(await askControl(dir, 'status'), { state: 'up', answer: { loops: 3 } })
  assert.deepEqual(await askControl(dir, 'echo', { a: ['ü'] }), { state: 'up', answer: { said: { a: ['ü'] } } })
  await assert.rejects(askControl(dir, 'broken'), { message: 'the database is away' })
  await assert.rejects(askControl(dir, 'nothing'), { message: 'there is no such question' })
  await control.close()
  assert.deepEqual(await askControl(dir, 'status'), { state: 'off' })
})
