import { posix } from 'node:path'
import type { BlobReader } from '../../../platform/blobs/blobs.ts'
import { CloudError } from '../../../platform/errors.ts'

/** What stands in an archive, and where: nothing is ever unpacked. */
export interface TarEntry {
  /** Relative, without `./`, `..` or a slash at the end. */
  name: string
  kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other'
  /** For links: what they point at, relative to the archive's root; null where that is outside of it. */
  target: string | null
  offset: number
  size: number
}

const block = 512
const limits = {
  /** Of a pax header or a long name, which are read into memory. GNU tar and Go write a few hundred bytes. */
  headerBytes: 64 * 1024,
  nameLength: 4096,
  /** An image has at most 127 layers of three or four entries each; an OCI layout may hold several images. */
  entries: 20_000,
}

/**
 * Reads the headers of a tar file, skipping over what is in it, and refuses what could not be an
 * image archive. Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
 * @throws CloudError `badRequest` whose message names the cause and the place.
 */
export async function readTar(file: BlobReader): Promise<TarEntry[]> {
  const { size: fileSize } = file
  const entries: TarEntry[] = []
  const bytes = async (at: number, length: number, what: string) => {
    if (at + length > fileSize) throw bad(`is cut short: ${what} should end at byte ${at + length} of ${fileSize}`)
    const buffer = await file.read(at, length)
    if (buffer.length < length) throw bad(`is cut short: ${what} should end at byte ${at + length} of ${fileSize}`)
    return buffer
  }
  if (fileSize < block) throw bad('is not a tar archive: it is shorter than one header')
  let longer: Longer = {}
  let at = 0
  for (;;) {
    const header = await bytes(at, block, entries.length === 0 ? 'the first header' : 'the end-of-archive marker')
    if (header.every((byte) => byte === 0)) break
    checkSum(header, at)
    const type = String.fromCharCode(header[156] ?? 0)
    const isExtended = 'xgLK'.includes(type)
    const own = numberOf(header, 124, 12, at)
    const size = isExtended ? own : '123456'.includes(type) ? 0 : (longer.size ?? own) // links and the like have no data
    const body = at + block
    at = body + Math.ceil(size / block) * block
    if (!Number.isSafeInteger(at)) throw bad(`is damaged: a header claims ${size} bytes`)
    if (isExtended) {
      if (size > limits.headerBytes) throw bad(`is damaged: the extended header at byte ${body} claims ${size} bytes`)
      const text = await bytes(body, size, 'an extended header')
      if (type === 'x') longer = { ...longer, ...paxOf(text, body) }
      if (type === 'L') longer = { ...longer, name: cString(text) }
      if (type === 'K') longer = { ...longer, link: cString(text) }
      continue
    }
    const entry = entryOf(header, type, longer, body, size)
    // Not of the padding: some writers leave it out behind the last entry, but then the marker is missing as well.
    if (entry.kind === 'file' && body + size > fileSize)
      throw bad(`is cut short: ${entry.name} should end at byte ${body + size} of ${fileSize}`)
    if (entry.name !== '') entries.push(entry)
    if (entries.length > limits.entries) throw bad(`has more than ${limits.entries} entries`)
    longer = {}
  }
  return entries
}

/** What an extended header says about the next entry, in place of its own fields. */
interface Longer {
  name?: string
  link?: string
  size?: number
}

function entryOf(header: Buffer, type: string, longer: Longer, offset: number, size: number): TarEntry {
  const isUstar = header.toString('latin1', 257, 262) === 'ustar'
  const prefix = isUstar && header[263] === 0x30 ? cString(header.subarray(345, 500)) : ''
  const own = cString(header.subarray(0, 100))
  const raw = longer.name ?? (prefix ? `${prefix}/${own}` : own)
  const name = cleaned(raw)
  const kind = kinds[type] ?? 'other'
  const link = longer.link ?? cString(header.subarray(157, 257))
  const isLink = kind === 'symlink' || kind === 'hardlink'
  const target = isLink ? targetOf(name, kind, link) : null
  // A file whose name ends in a slash is a directory to the oldest writers.
  return kind === 'file' && raw.endsWith('/')
    ? { name, kind: 'directory', target, offset, size: 0 }
    : { name, kind, target, offset, size: kind === 'file' ? size : 0 }
}

const kinds: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
}

function cleaned(raw: string): string {
  if (raw.length > limits.nameLength) throw bad(`has a name of ${raw.length} characters`)
  if (raw === '') throw bad('is damaged: an entry has no name')
  if (raw.startsWith('/')) throw bad(`has an absolute path: ${shown(raw)}`)
  if (raw.split('/').includes('..')) throw bad(`has a path that leaves it: ${shown(raw)}`)
  const name = posix.normalize(raw).replace(/\/+$/, '')
  return name === '.' ? '' : name
}

function targetOf(name: string, kind: 'symlink' | 'hardlink', link: string): string {
  const path = kind === 'hardlink' ? posix.normalize(link) : posix.join(posix.dirname(name), link)
  if (link.startsWith('/') || path === '..' || path.startsWith('../'))
    throw bad(`has a link that leaves it: ${shown(name)} points at ${shown(link)}`)
  return path
}

/** The sum of all header bytes, those of the sum itself counted as spaces; old writers summed signed bytes. */
function checkSum(header: Buffer, at: number): void {
  const said = Number.parseInt(header.toString('latin1', 148, 156).replaceAll('\0', ' ').trim(), 8)
  let unsigned = 0
  let signed = 0
  for (const [i, byte] of header.entries()) {
    const value = i >= 148 && i < 156 ? 0x20 : byte
    unsigned += value
    signed += value > 127 ? value - 256 : value
  }
  if (said === unsigned || said === signed) return
  if (at > 0) throw bad(`is damaged: the header at byte ${at} has a wrong checksum`)
  throw bad(`is not a tar archive${guess(header)}`)
}

/** What people upload by mistake. */
function guess(start: Buffer): string {
  const magic = start.toString('hex', 0, 6)
  if (magic.startsWith('1f8b')) return ': it is compressed with gzip; upload it uncompressed'
  if (magic.startsWith('28b52ffd')) return ': it is compressed with zstd; upload it uncompressed'
  if (magic.startsWith('fd377a585a00')) return ': it is compressed with xz; upload it uncompressed'
  if (magic.startsWith('425a68')) return ': it is compressed with bzip2; upload it uncompressed'
  if (magic.startsWith('514649fb')) return ': it is a qcow2 disk image'
  return ''
}

/** Octal digits, or binary where the first bit is set (GNU's extension for sizes of 8 GiB and more). */
function numberOf(header: Buffer, start: number, length: number, at: number): number {
  const field = header.subarray(start, start + length)
  if ((field[0] ?? 0) & 0x80) {
    const value = field.reduce((sum, byte, i) => sum * 256 + (i === 0 ? byte & 0x7f : byte), 0)
    if (!Number.isSafeInteger(value)) throw bad(`is damaged: the header at byte ${at} claims an impossible size`)
    return value
  }
  const text = field.toString('latin1').replaceAll('\0', ' ').trim()
  if (text !== '' && !/^[0-7]+$/.test(text)) throw bad(`is damaged: the header at byte ${at} has no valid size`)
  return text === '' ? 0 : Number.parseInt(text, 8)
}

/** Records of `<length> <key>=<value>\n`. */
function paxOf(body: Buffer, at: number): Longer {
  const found: Longer = {}
  for (let i = 0; i < body.length && body[i] !== 0; ) {
    const space = body.indexOf(0x20, i)
    const length = Number(body.toString('latin1', i, Math.max(i, space)))
    if (space < 0 || !Number.isInteger(length) || length < 5 || i + length > body.length)
      throw bad(`is damaged: the extended header at byte ${at} is malformed`)
    const record = body.toString('utf8', space + 1, i + length - 1)
    const equals = record.indexOf('=')
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)]
    if (key === 'path') found.name = value
    if (key === 'linkpath') found.link = value
    if (key === 'size') {
      found.size = Number(value)
      if (!/^\d+$/.test(value) || !Number.isSafeInteger(found.size))
        throw bad(`is damaged: the extended header at byte ${at} claims an impossible size`)
    }
    i += length
  }
  return found
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}

const shown = (path: string): string => JSON.stringify(path.length > 120 ? `${path.slice(0, 120)}…` : path)

/** `reason` continues the sentence "The archive …". */
export const bad = (reason: string): CloudError => new CloudError('badRequest', `The archive ${reason}.`)
