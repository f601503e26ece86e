import type { BlobReader } from '../../../platform/blobs/blobs.ts'
import { CloudError } from '../../../platform/errors.ts'

/** What a disk image is, as its bytes say. */
export interface DiskImage {
  format: 'raw' | 'qcow2' | 'vmdk' | 'vdi' | 'vhd' | 'vhdx' | 'iso' | 'ploop' | 'qed' | 'luks'
  /** Of the disk inside; null where the format does not say. */
  virtualSize: number | null
}

const refuse = (why: string): CloudError => new CloudError('badRequest', `The disk image ${why}.`)
const external = (what: string) => refuse(`names ${what}: it must hold all its data itself`)

/**
 * Looks at a stored disk image, and refuses what would make its reader open other files. What has no signature is `raw`.
 * @throws CloudError `badRequest` whose message names the cause
 */
export async function inspectDisk(file: BlobReader): Promise<DiskImage> {
  const head = await file.read(0, 4096)
  const starts = (text: string, at = 0) => head.toString('latin1', at, at + text.length) === text
  if (starts('QFI\xfb')) return qcow2(head)
  if (starts('QED\0')) return qed(head)
  if (starts('KDMV')) return vmdk(file, head)
  if (starts('COWD')) throw refuse('is a VMDK of the sparse kind that hosts use, whose extents lie in other files')
  if (starts('# Disk DescriptorFile')) throw external('extents in other files (it is only the descriptor of a VMDK)')
  if (head.length >= 0x178 && head.readUInt32LE(0x40) === 0xbeda107f) return vdi(head)
  if (starts('vhdxfile')) return vhdx(file)
  if (starts('WithoutFreeSpace') || starts('WithouFreSpacExt')) {
    // Sectors: of 32 bits in the first version, 64 in the second.
    const sectors = starts('WithoutFreeSpace') ? head.readUInt32LE(36) : Number(head.readBigUInt64LE(36))
    return { format: 'ploop', virtualSize: sectors * 512 }
  }
  if (starts('LUKS\xba\xbe')) return { format: 'luks', virtualSize: null }
  if (starts('conectix')) return vhd(head)
  if (file.size >= 512) {
    const foot = await file.read(file.size - 512, 512) // a fixed disk has only this
    if (foot.toString('latin1', 0, 8) === 'conectix') return vhd(foot)
  }
  const volume = (await file.read(0x8001, 5)).toString('latin1')
  if (['CD001', 'NSR02', 'NSR03'].includes(volume)) return { format: 'iso', virtualSize: file.size }
  return { format: 'raw', virtualSize: file.size }
}

/** Source: QEMU, docs/interop/qcow2.txt. */
function qcow2(head: Buffer): DiskImage {
  if (head.length < 72) throw refuse('is a qcow2 that is cut short')
  const version = head.readUInt32BE(4)
  if (version !== 2 && version !== 3) throw refuse(`is a qcow2 of version ${version}; 2 and 3 are known`)
  if (head.readBigUInt64BE(8) !== 0n) throw external('a backing file')
  if (version === 3) {
    if (head.length < 104) throw refuse('is a qcow2 that is cut short')
    const incompatible = head.readBigUInt64BE(72)
    if (incompatible & 4n) throw external('an external data file')
    if (incompatible & ~31n) throw refuse('is a qcow2 with features that are not known')
  }
  return { format: 'qcow2', virtualSize: sizeOf(head.readBigUInt64BE(24)) }
}

/** Source: QEMU, docs/interop/qed_spec.txt. */
function qed(head: Buffer): DiskImage {
  if (head.length < 64) throw refuse('is a QED image that is cut short')
  if (head.readBigUInt64LE(16) & 1n) throw external('a backing file')
  return { format: 'qed', virtualSize: sizeOf(head.readBigUInt64LE(48)) }
}

/** Of one file, extents in it. Source: VMware, "Virtual Disk Format 5.0". */
async function vmdk(file: BlobReader, head: Buffer): Promise<DiskImage> {
  if (head.length < 512) throw refuse('is a VMDK that is cut short')
  const capacity = sizeOf(head.readBigUInt64LE(12)) * 512
  const at = Number(head.readBigUInt64LE(28)) * 512
  const length = Number(head.readBigUInt64LE(36)) * 512
  if (at === 0 || length === 0) throw refuse('is a VMDK without a descriptor')
  if (length > 1024 * 1024 || at + length > file.size) throw refuse('is a VMDK whose descriptor is not in it')
  const descriptor = (await file.read(at, length)).toString('latin1').split('\0')[0] ?? ''
  const lines = descriptor.split(/\r?\n/).map((line) => line.trim())
  const kind = lines.flatMap((line) => /^createType\s*=\s*"?([^"]*)"?$/i.exec(line)?.[1] ?? [])
  const known = ['monolithicSparse', 'streamOptimized']
  if (kind.length !== 1 || !known.includes(kind[0] ?? ''))
    throw external(`extents in other files (its kind is ${JSON.stringify(kind[0] ?? 'none')})`)
  if (lines.some((line) => /^parentFileNameHint\s*=/i.test(line))) throw external('a parent')
  const parent = lines.flatMap((line) => /^parentCID\s*=\s*([0-9a-f]+)$/i.exec(line)?.[1] ?? [])
  if (parent.some((id) => id.toLowerCase() !== 'ffffffff')) throw external('a parent')
  const extents = lines.filter((line) => /^(RW|RDONLY|NOACCESS)\b/i.test(line))
  if (extents.length !== 1) throw external(`${extents.length} extents, where one of this kind has one`)
  const extent = /^(?:RW|RDONLY)\s+\d+\s+SPARSE\s+"([^"]*)"$/i.exec(extents[0] ?? '')
  if (!extent || /[/\\]|\.\./.test(extent[1] ?? '')) throw external(`the extent ${JSON.stringify(extents[0] ?? '')}`)
  return { format: 'vmdk', virtualSize: capacity }
}

/** Dynamic and fixed ones are whole. Source: VirtualBox, VDICore.h. */
function vdi(head: Buffer): DiskImage {
  const kind = head.readUInt32LE(0x4c)
  if (kind !== 1 && kind !== 2) throw external('a parent')
  return { format: 'vdi', virtualSize: sizeOf(head.readBigUInt64LE(0x170)) }
}

/** Source: Microsoft, "Virtual Hard Disk Image Format Specification". */
function vhd(head: Buffer): DiskImage {
  const kind = head.readUInt32BE(60)
  if (kind === 4) throw external('a parent')
  if (kind !== 2 && kind !== 3) throw refuse(`is a VHD of kind ${kind}, which is none`)
  return { format: 'vhd', virtualSize: sizeOf(head.readBigUInt64BE(48)) }
}

const guids = {
  metadata: '06a27c8b90479a4bb8fe575f050f886e',
  fileParameters: '3767a1ca36fa434db3b633f0aa44e76b',
  virtualDiskSize: '2442a52f1bcd7648b2115dbed83bf4b8',
} as const

/** Source: Microsoft, [MS-VHDX], "Region Table", "Metadata Region". */
async function vhdx(file: BlobReader): Promise<DiskImage> {
  const regions = await file.read(192 * 1024, 64 * 1024)
  if (regions.toString('latin1', 0, 4) !== 'regi') throw refuse('is a VHDX without a region table')
  const at = entry(regions, 16, regions.readUInt32LE(8), guids.metadata)
  const start = at === null ? 0 : Number(regions.readBigUInt64LE(at + 16))
  const table = await file.read(start, 64 * 1024)
  if (at === null || table.toString('latin1', 0, 8) !== 'metadata') throw refuse('is a VHDX without metadata')
  const value = async (guid: string, length: number): Promise<Buffer> => {
    const item = entry(table, 32, table.readUInt16LE(10), guid)
    const bytes = item === null ? null : await file.read(start + table.readUInt32LE(item + 16), length)
    if (bytes?.length !== length) throw refuse('is a VHDX whose metadata is cut short')
    return bytes
  }
  if ((await value(guids.fileParameters, 8)).readUInt32LE(4) & 2) throw external('a parent')
  return { format: 'vhdx', virtualSize: sizeOf((await value(guids.virtualDiskSize, 8)).readBigUInt64LE(0)) }
}

/** Where the 32 bytes begin that a table has under `guid`. */
function entry(table: Buffer, first: number, count: number, guid: string): number | null {
  for (let i = 0, at = first; i < Math.min(count, 2047) && at + 32 <= table.length; i++, at += 32) {
    if (table.toString('hex', at, at + 16) === guid) return at
  }
  return null
}

function sizeOf(bytes: bigint): number {
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) throw refuse(`claims a disk of ${bytes} bytes`)
  return Number(bytes)
}

/** Those with no signature that they must have. */
const unmarked = new Set(['raw', 'ami', 'ari', 'aki'])

/**
 * Holds what an image says it is against what it is. Only a bare one is its disk and nothing else; in a package of another
 * kind the disk is looked for dangers, and its name is the uploader's business. @throws CloudError `unsupportedMedia`
 */
export function checkClaim(found: DiskImage, claimed: string | null, containerFormat: string | null): void {
  if (containerFormat !== 'bare' || claimed === null || found.format === claimed) return
  // An ISO is often kept as the raw disk that it also is; so is an encrypted disk.
  const isPlain = found.format === 'raw' || found.format === 'iso' || found.format === 'luks'
  if (unmarked.has(claimed) && isPlain) return
  throw new CloudError(
    'unsupportedMedia',
    `The image is said to be ${claimed}, but its data is ${found.format === 'raw' ? 'not' : found.format}.`,
  )
}
