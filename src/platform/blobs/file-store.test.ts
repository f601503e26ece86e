import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { newLogger } from '../log.ts'
import { openFileBlobs } from './file-store.ts'

const log = newLogger('silent')
const hex = (algorithm: string, bytes: Buffer) => createHash(algorithm).update(bytes).digest('hex')

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'berth-blobs-'))
  t.after(async () => {
    if (await isMounted(join(dir, 'small'))) execFileSync('umount', [join(dir, 'small')])
    await rm(dir, { recursive: true, force: true })
  })
  return dir
}

const isMounted = async (path: string) => (await readFile('/proc/mounts', 'utf8')).includes(` ${path} `)

async function filesIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  return entries.filter((e) => e.isFile()).map((e) => e.name)
}

test('what is put can be read whole and in ranges, and carries its three hashes', async (t) => {
  const dir = await folder(t)
  const blobs = await openFileBlobs(dir, log)
  const bytes = Buffer.alloc(3_000_000, 'berth')
  const stored = await blobs.put(Readable.from([bytes.subarray(0, 10), bytes.subarray(10)]))
  assert.deepEqual(stored, {
    key: stored.key,
    size: bytes.length,
    sha256: hex('sha256', bytes),
    md5: hex('md5', bytes),
    sha512: hex('sha512', bytes),
  })
  assert.ok((await buffer(await blobs.open(stored.key))).equals(bytes))
  assert.equal(await text(await blobs.open(stored.key, { start: 1, end: 4 })), 'ert')
  assert.equal(await text(await blobs.open(stored.key, { start: 4, end: 4 })), '')
  assert.equal(await blobs.size(stored.key), bytes.length)
  const file = await stat(join(dir, 'data', stored.key.slice(-2), stored.key))
  assert.equal(file.mode & 0o777, 0o600)
  assert.equal((await stat(join(dir, 'data'))).mode & 0o777, 0o700)
})

test('pieces of every size arrive in their order', async (t) => {
  const blobs = await openFileBlobs(await folder(t), log)
  const bytes = Buffer.from(Array.from({ length: 900_000 }, (_, i) => (i * 7 + (i >> 8)) % 251))
  function* pieces() {
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = [1, 0, 300_000, 3, 65_536, 17][i % 6]!
      yield bytes.subarray(at, at + size)
      at += size
    }
  }
  const { key, sha256, md5 } = await blobs.put(Readable.from(pieces()), { sha256Only: true })
  assert.deepEqual([sha256, md5], [hex('sha256', bytes), ''])
  assert.equal((await buffer(await blobs.open(key))).equals(bytes), true)
  const single = Readable.from(Array.from({ length: 500 }, (_, i) => bytes.subarray(i, i + 1)))
  const small = await blobs.put(single)
  assert.equal((await buffer(await blobs.open(small.key))).equals(bytes.subarray(0, 500)), true)
})

test('a key is written once, is listed with its age, and goes away for good', async (t) => {
  const blobs = await openFileBlobs(await folder(t), log)
  await blobs.put(Readable.from(['one']), { key: 'chosen' })
  await assert.rejects(blobs.put(Readable.from(['two']), { key: 'chosen' }), { kind: 'conflict' })
  assert.equal(await text(await blobs.open('chosen')), 'one')
  const listed = await Array.fromAsync(blobs.list())
  assert.deepEqual(
    listed.map((b) => b.key),
    ['chosen'],
  )
  await blobs.remove('chosen')
  await blobs.remove('chosen')
  await assert.rejects(blobs.open('chosen'), { kind: 'notFound' })
  await assert.rejects(blobs.size('chosen'), { kind: 'notFound' })
  await assert.rejects(blobs.put(Readable.from(['x']), { key: '../../etc' }), { kind: 'badRequest' })
})

test('a stream that breaks, is aborted or is too large leaves nothing behind', async (t) => {
  const dir = await folder(t)
  const blobs = await openFileBlobs(dir, log)
  const broken = new PassThrough()
  broken.write('half')
  const put = blobs.put(broken)
  broken.destroy(new Error('connection lost'))
  await assert.rejects(put, /connection lost/)

  const abort = new AbortController()
  const slow = new PassThrough()
  slow.write('half')
  const aborted = blobs.put(slow, { signal: abort.signal })
  abort.abort()
  await assert.rejects(aborted, { kind: 'unavailable' })

  const silent = new PassThrough()
  silent.write('half')
  await assert.rejects(blobs.put(silent, { idleMs: 20 }), { kind: 'unavailable', message: /Nothing came for 0.02 s/ })

  const large = new PassThrough()
  large.write('12345')
  large.write('67890')
  await assert.rejects(blobs.put(large, { maxBytes: 7 }), { kind: 'tooLarge', message: /7 bytes/ })
  assert.equal(large.destroyed, false, 'its owner may still answer')
  assert.deepEqual(await filesIn(dir), [])
})

test('a full disk is said by name, and what was written is given back', async (t) => {
  const dir = join(await folder(t), 'small')
  await mkdir(dir)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', dir])
  const blobs = await openFileBlobs(dir, log)
  await assert.rejects(blobs.put(Readable.from([Buffer.alloc(1_000_000)])), { kind: 'noSpace', message: /no space/ })
  assert.deepEqual(await filesIn(dir), [])
})

test('leftovers of a killed process are removed at start', async (t) => {
  const dir = await folder(t)
  await openFileBlobs(dir, log)
  await writeFile(join(dir, 'tmp', 'half'), 'x')
  await openFileBlobs(dir, log)
  assert.deepEqual(await filesIn(dir), [])
})

test('a stream larger than memory allows is written at the pace of the disk', async (t) => {
  const blobs = await openFileBlobs(await folder(t), log)
  let made = 0
  const chunk = Buffer.alloc(64 * 1024)
  const source = new Readable({
    read() {
      this.push(made++ < 1024 ? chunk : null)
    },
  })
  let turns = 0
  const ticking = setInterval(() => turns++, 1)
  const stored = await blobs.put(source)
  clearInterval(ticking)
  assert.equal(stored.size, 64 * 1024 * 1024)
  assert.ok(turns > 20, `the event loop came round ${turns} times`)
  const reader = await blobs.open(stored.key)
  reader.destroy()
  await once(reader, 'close')
})
