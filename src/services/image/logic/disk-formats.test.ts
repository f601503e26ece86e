import assert from 'node:assert/strict'
import { test } from 'node:test'
import { layerOf, startImage } from '../../../../test/support/image.ts'
import type { BlobReader } from '../../../platform/blobs/blobs.ts'
import { inspectDisk } from './disk-formats.ts'

const gibibyte = 1024 ** 3

const readerOf = (bytes: Buffer): BlobReader => ({
  size: bytes.length,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
  close: async () => {},
})
const inspect = (bytes: Buffer) => inspectDisk(readerOf(bytes))

/** Bytes of a given length with pieces at their places. */
function bytesOf(length: number, pieces: Readonly<Record<number, Buffer | string>>): Buffer {
  const bytes = Buffer.alloc(length)
  for (const [at, piece] of Object.entries(pieces)) Buffer.from(piece as string, 'latin1').copy(bytes, Number(at))
  return bytes
}
const u32be = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const u32le = (value: number) => Buffer.from(u32be(value)).reverse()
const u64be = (value: number) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}
const u64le = (value: number) => u64be(value).reverse()

const qcow2 = (more: Readonly<Record<number, Buffer>> = {}) =>
  bytesOf(4096, { 0: 'QFI\xfb', 4: u32be(3), 24: u64be(gibibyte), ...more })

const descriptorOf = (lines: readonly string[]) => ['# Disk DescriptorFile', 'version=1', ...lines].join('\n')
const whole = ['parentCID=ffffffff', 'createType="monolithicSparse"', 'RW 2097152 SPARSE "disk.vmdk"']
const vmdk = (lines: readonly string[] = whole) =>
  bytesOf(4096, { 0: 'KDMV', 12: u64le(2097152), 28: u64le(1), 36: u64le(2), 512: descriptorOf(lines) })
const vdi = (kind = 1) => bytesOf(1024, { 64: u32le(0xbeda107f), 76: u32le(kind), 368: u64le(gibibyte) })
const vhd = (kind = 3) => bytesOf(2048, { 0: 'conectix', 48: u64be(gibibyte), 60: u32be(kind) })
const fixedVhd = bytesOf(4096, { 3584: 'conectix', 3632: u64be(3584), 3644: u32be(2) })

const hex = (text: string) => Buffer.from(text, 'hex')
const vhdx = (flags = 0) =>
  bytesOf(512 * 1024, {
    0: 'vhdxfile',
    196608: 'regi',
    196616: u32le(1),
    196624: hex('06a27c8b90479a4bb8fe575f050f886e'),
    196640: u64le(262144),
    262144: 'metadata',
    262154: Buffer.from([2, 0]),
    262176: hex('3767a1ca36fa434db3b633f0aa44e76b'),
    262192: u32le(65536),
    262208: hex('2442a52f1bcd7648b2115dbed83bf4b8'),
    262224: u32le(65544),
    327684: u32le(flags),
    327688: u64le(gibibyte),
  })
const iso = bytesOf(40_000, { 32769: 'CD001' })

test('every format is known, and how large the disk in it is', async () => {
  const cases: [Buffer, string, number | null][] = [
    [qcow2(), 'qcow2', gibibyte],
    [qcow2({ 4: u32be(2) }), 'qcow2', gibibyte],
    [vmdk(), 'vmdk', gibibyte],
    [vdi(), 'vdi', gibibyte],
    [vhd(), 'vhd', gibibyte],
    [fixedVhd, 'vhd', 3584],
    [vhdx(), 'vhdx', gibibyte],
    [iso, 'iso', 40_000],
    [bytesOf(512, { 0: 'WithoutFreeSpace', 36: u32le(2048) }), 'ploop', 1024 * 1024],
    [bytesOf(512, { 0: 'LUKS\xba\xbe' }), 'luks', null],
    [Buffer.from('anything'), 'raw', 8],
    [Buffer.alloc(0), 'raw', 0],
  ]
  for (const [bytes, format, virtualSize] of cases) assert.deepEqual(await inspect(bytes), { format, virtualSize })
})

test('what would open other files is refused, and says what', async () => {
  const cases: [Buffer, RegExp][] = [
    [qcow2({ 8: u64be(512) }), /names a backing file/],
    [qcow2({ 72: u64be(4) }), /names an external data file/],
    [qcow2({ 72: u64be(1024) }), /features that are not known/],
    [qcow2({ 4: u32be(9) }), /version 9/],
    [Buffer.from('QFI\xfb', 'latin1'), /cut short/],
    [bytesOf(64, { 0: 'QED\0', 16: u64le(1) }), /names a backing file/],
    [Buffer.from(descriptorOf(['createType="monolithicFlat"', 'RW 1 FLAT "/etc/passwd" 0'])), /only the descriptor/],
    [vmdk(['createType="monolithicFlat"', 'RW 1 FLAT "/etc/passwd" 0']), /its kind is "monolithicFlat"/],
    [vmdk([...whole, 'RW 1 SPARSE "other.vmdk"']), /2 extents/],
    [vmdk([...whole.slice(0, 2), 'RW 1 SPARSE "../x.vmdk"']), /the extent/],
    [vmdk([...whole.slice(0, 2), 'RW 1 FLAT "x" 0']), /the extent/],
    [vmdk([...whole, 'parentFileNameHint="/etc/shadow"']), /names a parent/],
    [vmdk(['parentCID=12345678', ...whole.slice(1)]), /names a parent/],
    [vmdk(['createType="streamOptimized"', 'createType="monolithicFlat"', whole[2] ?? '']), /other files/],
    [bytesOf(4096, { 0: 'KDMV', 28: u64le(100), 36: u64le(1) }), /not in it/],
    [vdi(4), /names a parent/],
    [vhd(4), /names a parent/],
    [vhdx(2), /names a parent/],
    [bytesOf(512, { 0: 'COWD' }), /extents lie in other files/],
    [qcow2({ 24: Buffer.alloc(8, 0xff) }), /claims a disk of/],
  ]
  for (const [bytes, message] of cases) await assert.rejects(inspect(bytes), { kind: 'badRequest', message })
})

test('an upload that lies about its format is refused, and the image waits for another', async (t) => {
  const cloud = await startImage(t)
  const alpha = cloud.as('alpha')
  const send = async (attributes: object, bytes: Buffer) => {
    const { id } = (await alpha('POST', '/v2/images', { json: attributes })).body
    const sent = await alpha('PUT', `/v2/images/${id}/file`, { bytes })
    return { sent, image: (await alpha('GET', `/v2/images/${id}`)).body }
  }
  const bare = (disk_format: string) => ({ container_format: 'bare', disk_format })
  const lie = await send(bare('raw'), qcow2())
  assert.deepEqual([lie.sent.status, lie.image.status], [415, 'queued'])
  assert.match(lie.sent.text, /said to be raw, but its data is qcow2/)
  assert.equal((await send(bare('qcow2'), Buffer.from('none'))).sent.status, 415)
  const backed = await send(bare('qcow2'), qcow2({ 8: u64be(512) }))
  assert.deepEqual([backed.sent.status, backed.image.status], [400, 'queued'])
  const hidden = await send({ container_format: 'ami', disk_format: 'ami' }, qcow2({ 8: u64be(512) }))
  assert.equal(hidden.sent.status, 400, 'a danger is one in every package')
  assert.deepEqual(await cloud.files(), [])
  const right = await send(bare('qcow2'), qcow2())
  assert.deepEqual([right.sent.status, right.image.virtual_size], [204, gibibyte])
  for (const [format, bytes] of [
    ['iso', iso],
    ['raw', iso],
    ['aki', await layerOf('kernel', 'x')],
  ] as const) {
    assert.equal((await send(bare(format), bytes)).sent.status, 204, format)
  }
})
