import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openLog } from './log-file.ts'

test('a full disk costs lines of the log, and no more; with room again it goes on', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-log-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder])
  t.after(() => {
    execFileSync('umount', ['--lazy', folder])
    rmdirSync(folder)
  })
  const path = join(folder, 'berth.log')
  writeFileSync(join(folder, 'filler'), Buffer.alloc(240_000))
  const log = openLog(path, 'info')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  for (let line = 0; line < 20_000; line++) log.info({ line }, 'while the disk fills up, and long after')
  assert.ok(statSync(path).size < 256 << 10)
  rmSync(join(folder, 'filler'))
  log.info('room again')
  const last = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-2)
  const [again, missing] = last.map((line) => JSON.parse(line) as { msg: string; lines?: number })
  assert.equal(again?.msg, 'room again')
  assert.match(missing?.msg ?? '', /lines of this log are missing/)
  const kept = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.includes('long after"}')).length
  assert.equal(kept + (missing?.lines ?? 0), 20_000)
})
