import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../clock.ts'
import { openSecretBox } from './secret-box.ts'

test('what is sealed opens for its owner only, in every process, after a rotation too', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-test-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const box = openSecretBox(join(dir, 'keys'), 'credential', systemClock)
  const other = openSecretBox(join(dir, 'keys'), 'credential', systemClock)
  const sealed = box.seal('a sécret', 'c1')
  assert.ok(!sealed.includes('secret'))
  assert.notEqual(box.seal('a sécret', 'c1'), sealed)
  assert.equal(other.open(sealed, 'c1'), 'a sécret')
  assert.throws(() => other.open(sealed, 'c2'))
  assert.throws(() => other.open(`${sealed.slice(0, -4)}AAAA`, 'c1'))
  box.rotate()
  assert.equal(other.open(box.seal('new', 'c1'), 'c1'), 'new')
  assert.equal(box.open(sealed, 'c1'), 'a sécret')
  const files = readdirSync(join(dir, 'keys'))
  assert.equal(files.length, 2)
  for (const file of files) assert.equal(statSync(join(dir, 'keys', file)).mode & 0o777, 0o600)
})
