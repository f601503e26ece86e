import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readConfig } from '../config.ts'
import { ensureEngine } from './engine.ts'
import { enginePaths, findEngine, isMounted, removeEngine, startEngine } from './own-engine.ts'
import { gone, signal } from './processes.ts'
import { ensureCloudId, ensureStateDir } from './state.ts'

test('our own engine: started, taken over, started again after a kill, and removed with all it made', async (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'berth-engine-'))
  const stateDir = join(parent, 'state')
  ensureStateDir(stateDir)
  const cloudId = ensureCloudId(stateDir)
  const paths = enginePaths(stateDir, cloudId)
  t.after(async () => {
    await removeEngine(paths)
    rmSync(parent, { recursive: true, force: true })
  })
  const config = readConfig({}, { stateDir })
  assert.equal(findEngine(paths), undefined)

  const first = await ensureEngine(config, cloudId, () => {})
  assert.equal(first.startedNow, true)
  assert.match(first.description, /^Docker \d+\.\d+.*, API 1\.\d+/)
  assert.equal(statSync(paths.socket).mode & 0o777, 0o660)
  const pid = findEngine(paths)
  assert.ok(pid)

  const second = await ensureEngine(config, cloudId, () => {})
  assert.equal(second.startedNow, false)
  assert.equal(findEngine(paths), pid)

  signal(pid, 'SIGKILL')
  assert.ok(await gone(pid, 5_000))
  assert.equal(findEngine(paths), undefined)
  assert.deepEqual(await startEngine(paths), { adopted: false })
  assert.notEqual(findEngine(paths), pid)

  await removeEngine(paths)
  assert.equal(existsSync(paths.run), false)
  assert.equal(existsSync(paths.kept), false)
  assert.equal(isMounted(paths.data), false)
  await removeEngine(paths)
})

test('an engine that nobody runs is told by its socket, not by a trace', async () => {
  const config = readConfig({ BERTH_ENGINE_SOCKET: '/tmp/no-such-engine.sock' }, { stateDir: '/tmp/none' })
  await assert.rejects(
    ensureEngine(config, '00000000', () => {}),
    { kind: 'unavailable', message: /no-such-engine\.sock is not reachable: there is no such socket/ },
  )
})

test('an engine that is too old is named with what it speaks and what is needed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-old-'))
  const old = createServer((_, answer) => answer.end(JSON.stringify({ Version: '18.09.1', ApiVersion: '1.39' })))
  old.listen(join(folder, 'docker.sock'))
  await once(old, 'listening')
  t.after(() => {
    old.closeAllConnections()
    old.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const config = readConfig({ BERTH_ENGINE_SOCKET: join(folder, 'docker.sock') }, { stateDir: '/tmp/none' })
  await assert.rejects(
    ensureEngine(config, '00000000', () => {}),
    { kind: 'unavailable', message: /too old: version 18\.09\.1 speaks API 1\.39, needed is 1\.41/ },
  )
})
