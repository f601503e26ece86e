import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  ensureCloudId,
  ensureSecrets,
  ensureStateDir,
  findCloudId,
  findPid,
  forget,
  statePaths,
  tryLock,
  writePid,
} from './state.ts'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'berth-state-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return join(path, 'state')
}
const modeOf = (path: string) => statSync(path).mode & 0o777

test('the id and the passwords are made once, and for their owner only', (t) => {
  const dir = folder(t)
  ensureStateDir(dir)
  assert.equal(modeOf(dir), 0o700)
  assert.equal(findCloudId(dir), undefined)
  const id = ensureCloudId(dir)
  assert.match(id, /^[0-9a-f]{8}$/)
  assert.equal(ensureCloudId(dir), id)
  const secrets = ensureSecrets(dir)
  assert.deepEqual(ensureSecrets(dir), secrets)
  assert.notEqual(secrets.adminPassword, secrets.demoPassword)
  assert.ok(secrets.adminPassword.length >= 24)
  assert.equal(modeOf(statePaths(dir).secrets), 0o600)
})

test('damaged files are named, not replaced', (t) => {
  const dir = folder(t)
  ensureStateDir(dir)
  writeFileSync(statePaths(dir).secrets, '{"adminPassword":')
  assert.throws(() => ensureSecrets(dir), { message: /secrets\.json is damaged/ })
  writeFileSync(statePaths(dir).cloudId, 'what\n')
  assert.throws(() => findCloudId(dir), { message: /does not hold a cloud id/ })
})

test('a directory of something else is left as it is', (t) => {
  const dir = folder(t)
  mkdirSync(dir, { mode: 0o755 })
  writeFileSync(join(dir, 'thesis.txt'), '')
  assert.throws(() => ensureStateDir(dir), { message: /holds no cloud, but other things \(thesis\.txt\)/ })
  assert.equal(modeOf(dir), 0o755)
})

test('a directory with only settings in it is fit for a cloud', (t) => {
  const dir = folder(t)
  mkdirSync(dir, { mode: 0o755 })
  writeFileSync(join(dir, 'berth.yaml'), '')
  ensureStateDir(dir)
  assert.equal(modeOf(dir), 0o700)
})

test('one process holds the directory; killed, it holds it no more', async (t) => {
  const dir = folder(t)
  ensureStateDir(dir)
  const module = fileURLToPath(new URL('./state.ts', import.meta.url))
  const code = `const { tryLock } = await import(${JSON.stringify(module)}); globalThis.lock = tryLock(${JSON.stringify(dir)});
    console.log(lock ? 'held' : 'refused'); setInterval(() => {}, 1000)`
  const other = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => other.kill('SIGKILL'))
  const [said] = (await once(other.stdout, 'data')) as [Buffer]
  assert.equal(said.toString(), 'held\n')
  assert.equal(tryLock(dir), null)
  other.kill('SIGKILL')
  await once(other, 'exit')
  const lock = tryLock(dir)
  assert.ok(lock)
  assert.equal(tryLock(dir), null)
  lock.release()
  tryLock(dir)!.release()
})

test('a pid file counts only for the very process that wrote it', (t) => {
  const dir = folder(t)
  ensureStateDir(dir)
  assert.equal(findPid(dir), undefined)
  writeFileSync(statePaths(dir).pid, `${process.pid} 1\n`)
  assert.equal(findPid(dir), undefined, 'another start time is another process')
  writeFileSync(statePaths(dir).pid, '1 1\n')
  assert.equal(findPid(dir), undefined)
  writePid(dir)
  assert.equal(findPid(dir), undefined, 'a test is no cloud, whatever its pid')
})

test('a start that failed before there was a cloud leaves nothing', (t) => {
  const dir = folder(t)
  ensureStateDir(dir)
  tryLock(dir)!.release()
  writeFileSync(statePaths(dir).log, '')
  forget(dir)
  assert.equal(existsSync(dir), false)

  ensureStateDir(dir)
  writeFileSync(join(dir, 'berth.yaml'), '')
  tryLock(dir)!.release()
  forget(dir)
  assert.deepEqual(readdirSync(dir), ['berth.yaml'])

  ensureCloudId(dir)
  tryLock(dir)!.release()
  forget(dir)
  assert.deepEqual(readdirSync(dir).sort(), ['berth.yaml', 'cloud-id', 'lock'])
})
