import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { openTestPostgres, openTestSqlite } from '../../../../test/support/databases.ts'
import { type ImageCloud, layerOf, savedArchive, startImage } from '../../../../test/support/image.ts'
import { openFileBlobs } from '../../../platform/blobs/file-store.ts'
import { newLogger } from '../../../platform/log.ts'

const docker = { name: 'app', container_format: 'docker', disk_format: 'raw' }

async function queued(cloud: ImageCloud, who = 'alpha', json: object = docker): Promise<string> {
  return (await cloud.as(who)('POST', '/v2/images', { json })).body.id
}

const show = async (cloud: ImageCloud, id: string) => (await cloud.as('admin')('GET', `/v2/images/${id}`)).body

for (const [engine, open] of [
  ['sqlite', openTestSqlite],
  ['postgres', openTestPostgres],
] as const) {
  test(`${engine}: a container image is kept byte for byte and can be pulled and booted`, async (t) => {
    const cloud = await startImage(t, { open })
    const archive = await savedArchive([await layerOf('hello', 'world')])
    const id = await queued(cloud)
    const ctx = cloud.contextOf('alpha')
    const before = await cloud.image.bootable(cloud.database.read, ctx, id)
    assert.deepEqual([before.status, before.reference], ['queued', null])

    const put = await cloud.as('alpha')('PUT', `/v2/images/${id}/file`, { bytes: archive })
    assert.equal(put.status, 204, put.text)
    const { status, size, architecture } = await show(cloud, id)
    assert.deepEqual([status, size], ['active', archive.length])
    assert.equal(architecture, process.arch === 'arm64' ? 'aarch64' : 'x86_64')
    const file = await cloud.as('alpha')('GET', `/v2/images/${id}/file`)
    assert.equal(file.text, archive.toString())

    const bootable = await cloud.image.bootable(cloud.database.read, ctx, id)
    assert.match(bootable.reference ?? '', new RegExp(`^127.0.0.1:5042/images/${id}@sha256:[0-9a-f]{64}$`))
    const pull = async (token: string, url: string) =>
      cloud.registry.app!.inject({ url, headers: { authorization: `Bearer ${token}` } })
    const token = cloud.registry.pullToken(bootable.repository, 60)
    const digest = bootable.reference?.split('@')[1]
    const manifest = await pull(token, `/v2/images/${id}/manifests/${digest}`)
    assert.equal(manifest.statusCode, 200)
    for (const { digest, size } of [...manifest.json().layers, manifest.json().config]) {
      const blob = await pull(token, `/v2/images/${id}/blobs/${digest}`)
      assert.deepEqual([blob.statusCode, blob.rawPayload.length], [200, size])
    }
    await assert.rejects(cloud.image.bootable(cloud.database.read, cloud.contextOf('beta'), id), {
      kind: 'notFound',
      message: `Image ${id} could not be found.`,
    })

    assert.equal((await cloud.as('alpha')('DELETE', `/v2/images/${id}`)).status, 204)
    assert.equal((await pull(token, `/v2/images/${id}/manifests/${digest}`)).statusCode, 404)
    assert.deepEqual(await cloud.files(), [])
  })
}

test('two images with a layer in common do not need each other', async (t) => {
  const cloud = await startImage(t)
  const shared = await layerOf('shared', 'x'.repeat(5000))
  const ids = [await queued(cloud), await queued(cloud, 'beta')]
  for (const [i, who] of ['alpha', 'beta'].entries()) {
    const bytes = await savedArchive([shared, await layerOf(`own-${i}`, who)])
    assert.equal((await cloud.as(who)('PUT', `/v2/images/${ids[i]}/file`, { bytes })).status, 204)
  }
  await cloud.as('alpha')('DELETE', `/v2/images/${ids[0]}`)
  const { repository, reference } = await cloud.image.bootable(cloud.database.read, cloud.contextOf('beta'), ids[1]!)
  const headers = { authorization: `Bearer ${cloud.registry.pullToken(repository, 60)}` }
  const url = `/v2/${repository}/manifests/${reference?.split('@')[1]}`
  const manifest = (await cloud.registry.app!.inject({ url, headers })).json()
  for (const { digest } of manifest.layers) {
    const blob = await cloud.registry.app!.inject({ url: `/v2/${repository}/blobs/${digest}`, headers })
    assert.equal(blob.statusCode, 200)
  }
})

test('refused uploads say why, and leave the image queued and the store empty', async (t) => {
  const cloud = await startImage(t, { config: { imageSizeMaxBytes: 50_000 } })
  const id = await queued(cloud)
  const archive = await savedArchive([await layerOf('hello', 'world')])
  const put = (bytes: Buffer, headers = {}) => cloud.as('alpha')('PUT', `/v2/images/${id}/file`, { bytes, headers })
  for (const [bytes, status, message, headers] of [
    [Buffer.from('no archive'), 400, /not a tar archive/],
    [archive.subarray(0, archive.length >> 1), 400, /cut short/],
    [await layerOf('../evil', 'x'), 400, /a path that leaves it: &quot;\.\.\/evil&quot;/],
    [Buffer.alloc(0), 400, /not a tar archive/],
    [Buffer.alloc(60_000), 413, /too large: at most 50000 bytes/],
    [Buffer.from('{}'), 415, /octet-stream/, { 'content-type': 'application/json' }],
  ] as const) {
    const answer = await put(bytes, headers)
    assert.equal(answer.status, status, answer.text)
    assert.match(answer.text, message)
    assert.equal((await show(cloud, id)).status, 'queued')
    assert.deepEqual(await cloud.files(), [])
  }
  assert.equal((await cloud.as('beta')('PUT', `/v2/images/${id}/file`, { bytes: archive })).status, 404)
  assert.equal((await cloud.as('reader')('PUT', `/v2/images/${id}/file`, { bytes: archive })).status, 403)
  const unformatted = await queued(cloud, 'alpha', { name: 'plain' })
  const answer = await cloud.as('alpha')('PUT', `/v2/images/${unformatted}/file`, { bytes: archive })
  assert.deepEqual([answer.status, /disk_format, container_format must be set/.test(answer.text)], [400, true])
  assert.equal((await put(archive)).status, 204)
})

/** Sends `bytes` zeros, and only then reads. */
async function sendAll(socket: Socket, bytes: number): Promise<string> {
  await pipeline(Readable.from(Array.from({ length: bytes / 100_000 }, () => Buffer.alloc(100_000))), socket, {
    end: false,
  })
  while (socket.writableLength > 0) await once(socket, 'drain')
  const [answer] = await once(socket, 'data')
  socket.destroy()
  return String(answer)
}

test('over HTTP: chunked, broken off, too large, deleted meanwhile', async (t) => {
  const cloud = await startImage(t, { config: { imageSizeMaxBytes: 100_000 } })
  await cloud.image.app!.listen({ port: 0, host: '127.0.0.1' })
  const { port } = cloud.image.app!.server.address() as AddressInfo
  const put = (id: string) => {
    const headers = { 'x-auth-token': 'alpha', 'content-type': 'application/octet-stream' }
    const sent = request({ port, host: '127.0.0.1', path: `/v2/images/${id}/file`, method: 'PUT', headers })
    const answered = once(sent, 'response').then(async ([reply]) => ({
      status: reply.statusCode,
      text: await text(reply),
    }))
    return { sent, answered }
  }
  const reached = async (id: string, status: string) => {
    while ((await show(cloud, id)).status !== status) await new Promise(setImmediate)
  }

  const id = await queued(cloud)
  const archive = await savedArchive([await layerOf('hello', 'world')])
  const broken = put(id)
  broken.sent.on('error', () => {})
  broken.answered.catch(() => {})
  broken.sent.write(archive.subarray(0, 600))
  await reached(id, 'saving')
  assert.equal((await cloud.as('alpha')('PUT', `/v2/images/${id}/file`, { bytes: archive })).status, 409)
  assert.equal((await cloud.as('alpha')('GET', `/v2/images/${id}/file`)).status, 204)
  broken.sent.destroy()
  await reached(id, 'queued')

  // Like most clients, this one reads nothing before it has sent everything: far more than fits into the sockets.
  const total = 40_000_000
  const socket = connect(port, '127.0.0.1')
  socket.write(`PUT /v2/images/${id}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: alpha\r\n`)
  socket.write(`Content-Type: application/octet-stream\r\nContent-Length: ${total * 2}\r\n\r\n`)
  assert.equal((await sendAll(socket, total)).slice(0, 12), 'HTTP/1.1 413')
  const chunked = connect(port, '127.0.0.1')
  chunked.write(`PUT /v2/images/${id}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: alpha\r\n`)
  chunked.write(`Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n${total.toString(16)}\r\n`)
  assert.equal((await sendAll(chunked, total)).slice(0, 12), 'HTTP/1.1 413')

  const deleted = put(id)
  deleted.sent.write(archive.subarray(0, 600))
  await reached(id, 'saving')
  assert.equal((await cloud.as('alpha')('DELETE', `/v2/images/${id}`)).status, 204)
  deleted.sent.end(archive.subarray(600))
  const answer = await deleted.answered
  assert.deepEqual([answer.status, /deleted during the upload/.test(answer.text)], [410, true])
  assert.deepEqual(await cloud.files(), [])

  const whole = await queued(cloud)
  const good = put(whole)
  for (let at = 0; at < archive.length; at += 700) good.sent.write(archive.subarray(at, at + 700))
  good.sent.end()
  assert.equal((await good.answered).status, 204)
  assert.equal((await show(cloud, whole)).checksum.length, 32)
})

test('a full disk is said, and nothing of the upload stays', async (t) => {
  let small = ''
  t.after(() => execFileSync('umount', [small])) // before the directory goes
  const openBlobs = (stateDir: string) => {
    small = join(stateDir, 'blobs')
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small])
    return openFileBlobs(small, newLogger('silent'))
  }
  const cloud = await startImage(t, { openBlobs })
  const id = await queued(cloud, 'alpha', { ...docker, container_format: 'bare' })
  const answer = await cloud.as('alpha')('PUT', `/v2/images/${id}/file`, { bytes: Buffer.alloc(1_000_000) })
  assert.deepEqual([answer.status, /storage media is full/.test(answer.text)], [413, true])
  assert.equal((await show(cloud, id)).status, 'queued')
  assert.deepEqual(await cloud.files(), [])
})

test('snapshots: queued for a host to fill, or gone when it fails', async (t) => {
  const cloud = await startImage(t)
  const wanted = { name: 'snap', owner: 'alpha', minDiskGiB: 1, minRamMiB: 0 }
  const properties = { image_type: 'snapshot', base_image_ref: 'b', instance_uuid: 'i' }
  const make = () => cloud.database.write((trx) => cloud.image.createSnapshot(trx, { ...wanted, properties }))
  const id = await make()
  const shown = await show(cloud, id)
  assert.deepEqual(
    [shown.status, shown.visibility, shown.image_type, shown.min_disk, shown.container_format],
    ['queued', 'private', 'snapshot', 1, 'docker'],
  )
  assert.equal(cloud.image.uploadUrl(id), `http://127.0.0.1:9292/v2/images/${id}/file`)
  const bytes = await savedArchive([await layerOf('state', 'kept')])
  assert.equal((await cloud.as('alpha')('PUT', `/v2/images/${id}/file`, { bytes })).status, 204)
  await cloud.database.write((trx) => cloud.image.fail(trx, id))
  assert.equal((await show(cloud, id)).status, 'active', 'one with data is left alone')

  const failed = await make()
  await cloud.database.write((trx) => cloud.image.fail(trx, failed))
  await cloud.database.write((trx) => cloud.image.fail(trx, failed))
  assert.equal((await cloud.as('alpha')('GET', `/v2/images/${failed}`)).status, 404)
})
