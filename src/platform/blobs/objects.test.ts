import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { startImage } from '../../../test/support/image.ts'
import { type ObjectServer, startS3, startSwift, type Trouble } from '../../../test/support/object-servers.ts'
import { newLogger } from '../log.ts'
import { glanceDriver } from './glance.ts'
import { type ObjectDriver, objectBlobs } from './objects.ts'
import { s3Driver, signed } from './s3.ts'
import { swiftDriver } from './swift.ts'

const keys = { accessKey: 'AK', secretKey: 'SK', region: 'r1' }
const account = {
  ...{
    user: 'ann',
    password: 'secret',
    project: 'acme',
    region: 'R1',
    userDomain: 'Default',
    projectDomain: 'Default',
  },
  applicationCredential: null,
}

interface Under {
  driver: ObjectDriver
  /** Where the objects are; null for a real service, which is not asked to fail. */
  server: ObjectServer | null
}

async function s3(t: TestContext): Promise<Under> {
  const server = await startS3(t, keys)
  const endpoint = `http://127.0.0.1:${server.port}`
  return { server, driver: s3Driver({ ...keys, type: 's3', endpoint, bucket: 'b', prefix: 'reg/' }) }
}

async function swift(t: TestContext): Promise<Under> {
  const server = await startSwift(t)
  const authUrl = `http://127.0.0.1:${server.port}/v3`
  return { server, driver: swiftDriver({ ...account, authUrl, version: '3', container: 'c', prefix: 'reg/' }) }
}

/** Our own Image service is one. */
async function glance(t: TestContext): Promise<Under> {
  const cloud = await startImage(t)
  const app = cloud.image.app!
  await app.listen({ port: 0, host: '127.0.0.1' })
  const address = app.server.address() as { port: number }
  const server = await startSwift(t, () => `http://127.0.0.1:${address.port}`)
  // The token that its log-in gives out is one that this Image service takes for a project's name.
  const authUrl = `http://127.0.0.1:${server.port}`
  return { server: null, driver: glanceDriver({ ...account, authUrl, version: '3', prefix: 'reg' }) }
}

const kinds = { s3, swift, glance }
const log = newLogger('silent')
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const large = randomBytes(20 * 1024 * 1024)

for (const [kind, start] of Object.entries(kinds)) {
  test(`${kind}: what is put is there, whole and in ranges, until it is removed`, async (t) => {
    const { driver, server } = await start(t)
    await driver.prepare()
    const blobs = objectBlobs(driver, log)
    for (const [key, bytes] of [
      ['image-small', Buffer.from('hello')],
      ['image-empty', Buffer.alloc(0)],
      ['push-large', large],
    ] as const) {
      const stored = await blobs.put(Readable.from(pieces(bytes)), { key })
      assert.deepEqual([stored.size, stored.sha256], [bytes.length, sha256(bytes)])
      assert.equal(await blobs.size(key), bytes.length)
      assert.ok((await buffer(await blobs.open(key))).equals(bytes))
    }
    const range = { start: 8 * 1024 * 1024 - 3, end: 8 * 1024 * 1024 + 4 }
    assert.ok((await buffer(await blobs.open('push-large', range))).equals(large.subarray(range.start, range.end)))
    assert.equal(await text(await blobs.open('image-small', { start: 2, end: 2 })), '')
    const reader = await blobs.reader('push-large')
    for (const [at, length] of [
      [0, 512],
      [3_000_000, 4],
      [3_000_100, 2_000_000],
      [large.length - 5, 100],
      [large.length + 5, 100],
    ] as const) {
      assert.ok((await reader.read(at, length)).equals(large.subarray(at, at + length)), `${at}`)
    }
    const listed = async () => (await Array.fromAsync(blobs.list())).map(({ key }) => key).sort()
    assert.deepEqual(await listed(), ['image-empty', 'image-small', 'push-large'])
    for (const key of ['push-large', 'image-small', 'image-empty', 'never-there']) await blobs.remove(key)
    assert.deepEqual(await listed(), [])
    await assert.rejects(blobs.open('push-large'), { kind: 'notFound' })
    await assert.rejects(blobs.size('push-large'), { kind: 'notFound' })
    if (server) assert.deepEqual([server.objects.size, server.parts.size], [0, 0])
  })

  test(`${kind}: of a source that fails, or is too long, nothing is there`, async (t) => {
    const { driver, server } = await start(t)
    await driver.prepare()
    const blobs = objectBlobs(driver, log)
    async function* broken() {
      yield large.subarray(0, 17 * 1024 * 1024)
      throw new Error('the sender is gone')
    }
    await assert.rejects(blobs.put(Readable.from(broken()), { key: 'a' }), /the sender is gone/)
    const long = Readable.from(pieces(large))
    await assert.rejects(blobs.put(long, { key: 'b', maxBytes: 9_000_000 }), { kind: 'tooLarge' })
    assert.deepEqual(await Array.fromAsync(blobs.list()), [])
    if (server) assert.deepEqual([server.objects.size, server.parts.size], [0, 0])
  })
}

function* pieces(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 1_000_003) yield bytes.subarray(at, at + 1_000_003)
}

/** Every n-th request fails. */
function every(n: number, how: Trouble): ObjectServer['trouble'] {
  let count = 0
  return () => (++count % n === 0 ? how : null)
}

for (const [kind, start] of Object.entries({ s3, swift })) {
  for (const how of ['500', 'lost', 'cut'] as const) {
    test(`${kind} in trouble (${how}): what is acknowledged is whole, and reads go on`, async (t) => {
      const { driver, server } = await start(t)
      await driver.prepare()
      const blobs = objectBlobs(driver, log)
      server!.trouble = every(3, how)
      await blobs.put(Readable.from(pieces(large)), { key: 'x' })
      assert.ok((await buffer(await blobs.open('x'))).equals(large))
      await blobs.remove('x')
      server!.trouble = () => null
      assert.deepEqual(await Array.fromAsync(blobs.list()), [])
    })
  }

  test(`${kind} that is away: the caller is told, and what was half written is cleared away`, async (t) => {
    const { driver, server } = await start(t)
    await driver.prepare()
    const blobs = objectBlobs(driver, log)
    let puts = 0
    server!.trouble = (method) => (method !== 'GET' && ++puts > 3 ? '500' : null)
    await assert.rejects(blobs.put(Readable.from(pieces(large)), { key: 'x' }), { kind: 'unavailable' })
    assert.equal(server!.objects.size, 0, 'half of it is never seen')
    await assert.rejects(blobs.size('x'), { kind: 'unavailable' })
  })
}

test('s3: uploads that nobody ended are aborted when they are a day old', async (t) => {
  const { driver, server } = await s3(t)
  await driver.prepare()
  server!.trouble = (method, url) => (method === 'DELETE' || url.searchParams.get('partNumber') === '2' ? '500' : null)
  await assert.rejects(objectBlobs(driver, log).put(Readable.from(pieces(large)), { key: 'x' }))
  server!.trouble = () => null
  assert.ok(server!.parts.size > 0)
  assert.deepEqual(await Array.fromAsync(driver.list()), [])
  assert.equal(server!.parts.size, 0)
})

test('swift: all three log-ins, application credentials, and a new token when the old one is not taken', async (t) => {
  const server = await startSwift(t)
  const root = `http://127.0.0.1:${server.port}`
  const common = { ...account, container: 'c', prefix: '' }
  const credential = { id: 'id', secret: 'secret' }
  for (const settings of [
    { ...common, authUrl: `${root}/auth/v1.0`, version: '1' as const },
    { ...common, authUrl: `${root}/v2.0`, version: '2' as const },
    { ...common, authUrl: root, version: '3' as const },
    { ...common, authUrl: root, version: '3' as const, password: '', applicationCredential: credential },
  ]) {
    const driver = swiftDriver(settings)
    await driver.prepare()
    const blobs = objectBlobs(driver, log)
    await blobs.put(Readable.from([Buffer.from('one')]), { key: 'k' })
    server.revoke()
    assert.equal(await text(await blobs.open('k')), 'one')
    await blobs.remove('k')
  }
  const wrong = swiftDriver({ ...common, authUrl: root, version: '3', password: 'wrong' })
  await assert.rejects(wrong.prepare(), /401/)
})

test('s3: the signature is the one of the documentation’s example', () => {
  // Source: Amazon S3 API reference, "Signature Calculations", example "GET Object".
  const example = {
    accessKey: 'AKIAIOSFODNN7EXAMPLE',
    secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    region: 'us-east-1',
  }
  const url = new URL('https://examplebucket.s3.amazonaws.com/test.txt')
  const request = { method: 'GET', url, query: {}, body: '', headers: { range: 'bytes=0-9' } }
  const { authorization } = signed(example, request, new Date('2013-05-24T00:00:00Z'))
  assert.match(authorization ?? '', /Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41$/)
})
