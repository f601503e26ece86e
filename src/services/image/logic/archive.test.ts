import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { type Header, pack } from 'tar-stream'
import { temporaryDirectory } from '../../../../test/support/databases.ts'
import { openReader } from '../../../platform/blobs/file-store.ts'
import { indexArchive as indexed, type Platform, thisPlatform } from './archive.ts'

const run = promisify(execFile)
const indexArchive = async (path: string, platform?: Platform) => indexed(await openReader(path, 'x'), platform)
const hex = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')
const json = (value: unknown) => Buffer.from(JSON.stringify(value))

type Part = [name: string | (Partial<Header> & { name: string }), content?: Buffer]

async function tarOf(parts: readonly Part[]): Promise<Buffer> {
  const tar = pack()
  for (const [header, content] of parts) {
    tar.entry(typeof header === 'string' ? { name: header } : header, content ?? Buffer.alloc(0))
  }
  tar.finalize()
  return buffer(tar)
}

const layer = await tarOf([['hello', Buffer.from('world')]])
const another = await tarOf([['second', Buffer.alloc(3000, 'x')]])
const configOf = (layers: readonly Buffer[], more: object = {}) =>
  json({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: layers.map((l) => `sha256:${hex(l)}`) },
    ...more,
  })

/** As Docker 20.10 saves: the second of two equal layers is a link. */
function saved(changes: { config?: Buffer; layers?: string[]; manifest?: Buffer } = {}): Part[] {
  const config = changes.config ?? configOf([layer, another, layer])
  const layers = changes.layers ?? ['a/layer.tar', 'b/layer.tar', 'c/layer.tar']
  return [
    [`${hex(config)}.json`, config],
    [{ name: 'a/', type: 'directory' }],
    ['a/layer.tar', layer],
    ['b/layer.tar', another],
    [{ name: 'c/layer.tar', type: 'symlink', linkname: '../a/layer.tar' }],
    ['manifest.json', changes.manifest ?? json([{ Config: `${hex(config)}.json`, RepoTags: ['x:1'], Layers: layers }])],
  ]
}

const blob = (content: Buffer): Part => [`blobs/sha256/${hex(content)}`, content]
const descriptor = (mediaType: string, content: Buffer, more: object = {}) => ({
  mediaType,
  digest: `sha256:${hex(content)}`,
  size: content.length,
  ...more,
})

function ociImage(layers: readonly Buffer[], config: Buffer): { manifest: Buffer; parts: Part[] } {
  const manifest = json({
    schemaVersion: 2,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: layers.map((l) => descriptor('application/vnd.oci.image.layer.v1.tar+gzip', l)),
  })
  return { manifest, parts: [blob(config), ...layers.map(blob), blob(manifest)] }
}
const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const layout: Part = ['oci-layout', json({ imageLayoutVersion: '1.0.0' })]
const indexOf = (...manifests: object[]): Part => ['index.json', json({ schemaVersion: 2, manifests })]

async function fileOf(t: TestContext, content: Buffer): Promise<string> {
  const path = join(await temporaryDirectory(t), 'archive.tar')
  await writeFile(path, content)
  return path
}

test('a docker save archive is indexed in place, its repeated layer once', async (t) => {
  const bytes = await tarOf(saved())
  const index = await indexArchive(await fileOf(t, bytes))
  assert.equal(index.layout, 'docker')
  assert.equal(index.configDigest, `sha256:${hex(configOf([layer, another, layer]))}`)
  assert.equal(index.manifest.digest, `sha256:${hex(index.manifest.content)}`)
  assert.equal(index.blobs.length, 3)
  for (const { digest, offset, size } of index.blobs) {
    assert.equal(digest, `sha256:${hex(bytes.subarray(offset, offset + size))}`)
  }
  const manifest = JSON.parse(index.manifest.content)
  assert.deepEqual(
    manifest.layers.map((l: { digest: string }) => l.digest),
    [layer, another, layer].map((l) => `sha256:${hex(l)}`),
  )
  assert.equal(manifest.layers[0].mediaType, 'application/vnd.docker.image.rootfs.diff.tar')
  assert.equal(index.unpackedBytes, 2 * layer.length + another.length)
  assert.deepEqual([index.os, index.architecture], ['linux', 'amd64'])
})

test('compressed layers keep their digests and are checked against what they unpack to', async (t) => {
  const packed = gzipSync(layer)
  const config = configOf([layer])
  const parts: Part[] = [
    ['blobs/sha256/config', config],
    [`blobs/sha256/${hex(packed)}`, packed],
    ['manifest.json', json([{ Config: 'blobs/sha256/config', Layers: [`blobs/sha256/${hex(packed)}`] }])],
  ]
  const index = await indexArchive(await fileOf(t, await tarOf(parts)))
  assert.equal(index.blobs[1]?.digest, `sha256:${hex(packed)}`)
  assert.equal(index.blobs[1]?.mediaType, 'application/vnd.docker.image.rootfs.diff.tar.gzip')
  assert.equal(index.unpackedBytes, layer.length)
})

test('an OCI layout keeps its manifest byte for byte; of several platforms this machine’s counts', async (t) => {
  const packed = gzipSync(layer)
  const mine = ociImage([packed], configOf([layer], { architecture: thisPlatform.architecture }))
  const other = ociImage([gzipSync(another)], configOf([another], { architecture: 's390x' }))
  const platform = (architecture: string) => ({ platform: { os: 'linux', architecture } })
  const one = await indexArchive(
    await fileOf(t, await tarOf([...mine.parts, layout, indexOf(descriptor(manifestType, mine.manifest))])),
  )
  assert.equal(one.manifest.content, mine.manifest.toString())
  assert.deepEqual([one.layout, one.manifest.mediaType, one.blobs.length], ['oci', manifestType, 2])

  const nested = json({
    schemaVersion: 2,
    manifests: [
      descriptor(manifestType, other.manifest, platform('s390x')),
      descriptor(manifestType, mine.manifest, platform(thisPlatform.architecture)),
      descriptor(manifestType, json({}), { platform: { os: 'unknown', architecture: 'unknown' } }),
    ],
  })
  const parts = [
    ...mine.parts,
    ...other.parts,
    blob(nested),
    layout,
    indexOf(descriptor('application/vnd.oci.image.index.v1+json', nested)),
  ]
  assert.equal((await indexArchive(await fileOf(t, await tarOf(parts)))).manifest.content, mine.manifest.toString())
  await assert.rejects(indexArchive(await fileOf(t, await tarOf(parts)), { os: 'linux', architecture: 'riscv64' }), {
    kind: 'badRequest',
    message: /images for linux\/s390x, linux\/.*; none is for linux\/riscv64/,
  })
  const foreign = [...other.parts, layout, indexOf(descriptor(manifestType, other.manifest, platform('s390x')))]
  assert.equal((await indexArchive(await fileOf(t, await tarOf(foreign)))).architecture, 's390x')
})

test('what Docker writes since version 25: both layouts over the same blobs, an entry for each tag', async (t) => {
  const config = configOf([layer])
  const manifest = json({
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
  })
  const entry = (tag: string) =>
    descriptor(manifestType, manifest, { annotations: { 'org.opencontainers.image.ref.name': tag } })
  const parts: Part[] = [
    [{ name: 'blobs/', type: 'directory' }],
    ...[config, layer, manifest].map(blob),
    indexOf(entry('one'), entry('two')),
    ['manifest.json', json([{ Config: blob(config)[0], RepoTags: ['x:one', 'x:two'], Layers: [blob(layer)[0]] }])],
    layout,
  ]
  const index = await indexArchive(await fileOf(t, await tarOf(parts)))
  assert.deepEqual([index.layout, index.manifest.content], ['oci', manifest.toString()])
  const another = ociImage([gzipSync(layer)], configOf([layer], { created: '2020-01-01T00:00:00Z' }))
  const two = [...parts, ...another.parts, indexOf(entry('one'), descriptor(manifestType, another.manifest))]
  await assert.rejects(indexArchive(await fileOf(t, await tarOf(two))), { message: /holds 2 images; save them one by/ })
})

const config = configOf([layer])
const oneLayer = (name: string, extra: Part[] = []): Part[] => [
  ['config.json', config],
  ...extra,
  ['manifest.json', json([{ Config: 'config.json', Layers: [name] }])],
]
const oci = ociImage([gzipSync(layer)], config)
const ociIndex = indexOf(descriptor(manifestType, oci.manifest))
const damaged = (parts: Part[], which: number): Part[] =>
  parts.map(
    ([name, content = Buffer.alloc(0)], i): Part => [name, i === which ? Buffer.alloc(content.length, 'z') : content],
  )

const refused: readonly [what: string, parts: Part[], message: RegExp][] = [
  ['no image at all', [['readme', Buffer.from('hello')]], /neither a Docker image .* nor an OCI layout/],
  ['an empty archive', [], /neither a Docker image|not a tar/],
  ['a path upwards', [...saved(), ['../evil', Buffer.from('x')]], /a path that leaves it: "\.\.\/evil"/],
  ['a path up and down', [['a/../../b', Buffer.from('x')]], /a path that leaves it/],
  ['an absolute path', [['/etc/passwd', Buffer.from('x')]], /an absolute path: "\/etc\/passwd"/],
  ['a link that leaves', [[{ name: 'a/l', type: 'symlink', linkname: '../../etc/passwd' }]], /a link that leaves it/],
  ['an absolute link', [[{ name: 'l', type: 'symlink', linkname: '/etc/shadow' }]], /a link that leaves it/],
  ['a hard link that leaves', [[{ name: 'l', type: 'link', linkname: '../x' }]], /a link that leaves it/],
  [
    'links in a circle',
    oneLayer('a', [[{ name: 'a', type: 'symlink', linkname: 'b' }], [{ name: 'b', type: 'symlink', linkname: 'a' }]]),
    /links in a circle at "a"/,
  ],
  ['a layer that is missing', oneLayer('gone/layer.tar'), /lacks the layer "gone\/layer.tar"/],
  ['a layer that is a directory', oneLayer('d', [[{ name: 'd', type: 'directory' }]]), /it is no file/],
  ['a configuration that is missing', saved().slice(1), /lacks the image configuration/],
  ['a layer of other content', oneLayer('l', [['l', another]]), /a layer, "l", whose digest is .* configuration says/],
  ['a configuration of other content', damaged(saved(), 0), /not valid JSON|damaged image configuration/],
  ['a manifest that is no JSON', [['manifest.json', Buffer.from('{')]], /manifest.json is not valid JSON/],
  ['a manifest that is none', [['manifest.json', json({ a: 1 })]], /a manifest.json that is not one/],
  ['a manifest without images', [['manifest.json', json([])]], /holds no image/],
  ['two images', [['manifest.json', json([1, 2].map(() => ({ Config: 'c', Layers: [] })))]], /holds 2 images/],
  ['too few layers', saved({ layers: ['a/layer.tar'] }), /lists 1 layers, but its image configuration knows 3/],
  ['an oversized manifest', [['manifest.json', Buffer.alloc(5 << 20, ' ')]], /a manifest.json of 5242880 bytes/],
  [
    'a configuration without layers',
    oneLayer('l').toSpliced(0, 1, ['config.json', json({ os: 'linux' })]),
    /image configuration that is not one/,
  ],
  ['an OCI layer of other content', [...damaged(oci.parts, 1), layout, ociIndex], /damaged layer/],
  ['an OCI manifest of other content', [...damaged(oci.parts, 2), layout, ociIndex], /damaged manifest/],
  ['an OCI layer that is missing', [...oci.parts.toSpliced(1, 1), layout, ociIndex], /lacks the layer/],
  ['an empty OCI index', [layout, indexOf()], /holds no image/],
  [
    'an OCI artefact that is no image',
    [layout, indexOf({ mediaType: 'application/vnd.cncf.helm', digest: `sha256:${'0'.repeat(64)}`, size: 1 })],
    /no container image/,
  ],
  [
    'an OCI digest with a path in it',
    [layout, indexOf({ mediaType: manifestType, digest: 'sha256:../../etc/passwd', size: 1 })],
    /not one|only sha256/,
  ],
]

for (const [what, parts, message] of refused) {
  test(`refused: ${what}`, async (t) => {
    const path = await fileOf(t, await tarOf(parts))
    await assert.rejects(indexArchive(path), { name: 'CloudError', kind: 'badRequest', message })
  })
}

test('refused: what is no tar, what is cut, what is compressed, absurd headers', async (t) => {
  const whole = await tarOf(saved())
  const wrongSum = Buffer.from(whole)
  wrongSum.writeUInt8(whole.readUInt8(0) ^ 1, 0)
  const absurd = await tarOf([[{ name: 'x', type: 'file', pax: { size: '99999999999999999999' } }]])
  const hugePax = await tarOf([[{ name: 'x', pax: { comment: 'y'.repeat(70_000) } }]])
  for (const [bytes, message] of [
    [Buffer.from('hello'), /not a tar archive: it is shorter/],
    [Buffer.alloc(2000, 'text'), /not a tar archive/],
    [gzipSync(whole), /not a tar archive.*gzip/],
    [whole.subarray(0, whole.length - 1024), /cut short: the end-of-archive marker/],
    [whole.subarray(0, whole.length >> 1), /cut short/],
    [whole.subarray(0, 700), /cut short/],
    [wrongSum, /not a tar archive/],
    [absurd, /impossible size|claims/],
    [hugePax, /extended header .* claims 7\d{4} bytes/],
  ] as const) {
    await assert.rejects(indexArchive(await fileOf(t, bytes)), { kind: 'badRequest', message })
  }
})

test('a layer that unpacks to far too much is refused in bounded memory', async (t) => {
  const bomb = gzipSync(Buffer.alloc(300 << 20)) // about a thousand to one, the most deflate can do
  const at = (bytes: Buffer) => oneLayer('l', [['l', bytes]])
  await assert.rejects(indexArchive(await fileOf(t, await tarOf(at(bomb)))), {
    kind: 'badRequest',
    message: /unpacks to more than 268435456 bytes/,
  })
  await assert.rejects(indexArchive(await fileOf(t, await tarOf(at(bomb.subarray(0, 2000))))), {
    kind: 'badRequest',
    message: /damaged layer/,
  })
})

test('what skopeo writes', async (t) => {
  const dir = await temporaryDirectory(t)
  const source = join(dir, 'docker.tar')
  await writeFile(source, await tarOf(saved()))
  const skopeo = (to: string) => run('skopeo', ['--insecure-policy', 'copy', `docker-archive:${source}`, to])
  await skopeo(`oci-archive:${join(dir, 'oci.tar')}`)
  await skopeo(`docker-archive:${join(dir, 'again.tar')}:x:1`)
  await mkdir(join(dir, 'layout'))
  await skopeo(`oci:${join(dir, 'layout')}`)
  await run('tar', ['-C', join(dir, 'layout'), '-cf', join(dir, 'dotted.tar'), '.'])
  const original = await indexArchive(source)
  const oci = await indexArchive(join(dir, 'oci.tar'))
  assert.equal(oci.layout, 'oci')
  assert.equal(oci.unpackedBytes, original.unpackedBytes)
  assert.equal((await indexArchive(join(dir, 'again.tar'))).manifest.digest, original.manifest.digest)
  assert.equal((await indexArchive(join(dir, 'dotted.tar'))).manifest.digest, oci.manifest.digest)
  const bytes = await readFile(join(dir, 'oci.tar'))
  for (const { digest, offset, size } of oci.blobs) {
    assert.equal(digest, `sha256:${hex(bytes.subarray(offset, offset + size))}`)
  }
  await truncate(join(dir, 'oci.tar'), ((await stat(join(dir, 'oci.tar'))).size / 3) | 0)
  await assert.rejects(indexArchive(join(dir, 'oci.tar')), { kind: 'badRequest', message: /cut short/ })
})
