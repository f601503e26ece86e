import { CloudError } from '../../../platform/errors.ts'
import type { Image } from '../db/images.ts'
import type { Visibility } from '../db/tables.ts'
import { baseProperties } from './schema.ts'

/** One step of a PATCH. `strict`: the older media type, where `add` must not replace. */
export interface Change {
  op: 'add' | 'replace' | 'remove'
  attribute: string
  value: unknown
  strict: boolean
}

export const patchTypes: Readonly<Record<string, 'draft4' | 'draft10'>> = {
  'application/openstack-images-v2.0-json-patch': 'draft4',
  'application/openstack-images-v2.1-json-patch': 'draft10',
}

const readOnly = new Set([
  'created_at',
  'updated_at',
  'status',
  'checksum',
  'size',
  'virtual_size',
  'direct_url',
  'self',
  'file',
  'schema',
  'stores',
  'id',
  'os_hash_algo',
  'os_hash_value',
])
const reserved = new Set(['location', 'locations', 'deleted', 'deleted_at'])

const bad = (message: string): CloudError => new CloudError('badRequest', message)
const forbidden = (message: string): CloudError => new CloudError('forbidden', message)

/** Attributes that only the service sets. @throws CloudError `forbidden` */
export function refuseReserved(attribute: string): void {
  if (readOnly.has(attribute)) throw forbidden(`Attribute '${attribute}' is read-only.`)
  if (reserved.has(attribute) || attribute.startsWith('os_glance')) {
    throw forbidden(`Attribute '${attribute}' is reserved.`)
  }
}

/**
 * The body of a PATCH → changes; `check` validates an attribute's value.
 * Source: Image API v2 reference, "HTTP PATCH media types" (v2.0: draft 4 of JSON Patch, v2.1: draft 10).
 */
export function parsePatch(
  body: unknown,
  draft: 'draft4' | 'draft10',
  check: (part: Record<string, unknown>) => void,
): Change[] {
  if (!Array.isArray(body)) throw bad('Request body must be a JSON array of operation objects.')
  return body.map((step: unknown) => {
    if (typeof step !== 'object' || step === null || Array.isArray(step)) throw bad('Operations must be JSON objects.')
    const fields = step as Record<string, unknown>
    const { op, pointer } = draft === 'draft4' ? draft4(fields) : draft10(fields)
    const attribute = attributeOf(pointer)
    if (op !== 'remove' && !('value' in fields)) throw bad(`Operation "${op}" requires a member named "value".`)
    refuseReserved(attribute)
    if (op !== 'remove') check({ [attribute]: fields.value })
    return { op, attribute, value: fields.value, strict: draft === 'draft4' }
  })
}

const operations = ['add', 'remove', 'replace'] as const

function draft10({ op, path }: Record<string, unknown>): { op: Change['op']; pointer: unknown } {
  const known = operations.find((one) => one === op)
  const list = `It must be one of the following: ${operations.join(', ')}.`
  if (op === undefined) throw bad(`Unable to find \`op\` in JSON Schema change. ${list}`)
  if (!known) throw bad(`Invalid operation: \`${String(op)}\`. ${list}`)
  if (path === undefined) throw bad("Unable to find 'path' in JSON Schema change")
  return { op: known, pointer: path }
}

function draft4(fields: Record<string, unknown>): { op: Change['op']; pointer: unknown } {
  const [op, another] = operations.filter((one) => one in fields)
  if (!op || another) {
    const count = another ? 'only one member' : 'exactly one member'
    throw bad(`Operation objects must contain ${count} named "add", "remove", or "replace".`)
  }
  return { op, pointer: fields[op] }
}

/** JSON pointers of one level: images are flat. */
function attributeOf(pointer: unknown): string {
  if (typeof pointer !== 'string' || !pointer.startsWith('/')) {
    throw bad(`Pointer \`${String(pointer)}\` does not start with "/".`)
  }
  if (/\/\s*\//.test(pointer)) throw bad(`Pointer \`${pointer}\` contains adjacent "/".`)
  if (pointer.endsWith('/')) throw bad(`Pointer \`${pointer}\` end with "/".`)
  if (/~(?![01])/.test(pointer)) {
    throw bad(`Pointer \`${pointer}\` contains "~" not part of a recognized escape sequence.`)
  }
  const parts = pointer.slice(1).split('/')
  const attribute = (parts[0] ?? '').replaceAll('~1', '/').replaceAll('~0', '~').trim()
  if (reserved.has(attribute)) throw forbidden(`Attribute '${attribute}' is reserved.`)
  if (parts.length > 1) throw bad(`Invalid JSON pointer for this resource: '${pointer}'`)
  if (attribute.length > 255) throw bad('Custom property should not be greater than 255 characters.')
  return attribute
}

/** Wire name → how to set it. Values have been checked against the schema. */
const setters: Readonly<Record<string, (image: Image, value: never) => void>> = {
  name: (image, value: string | null) => (image.name = value),
  visibility: (image, value: Visibility) => (image.visibility = value),
  protected: (image, value: boolean) => (image.protected = value),
  os_hidden: (image, value: boolean) => (image.osHidden = value),
  owner: (image, value: string | null) => (image.owner = value),
  min_disk: (image, value: number) => (image.minDisk = value),
  min_ram: (image, value: number) => (image.minRam = value),
  tags: (image, value: string[]) => (image.tags = [...new Set(value)]),
  container_format: (image, value: string | null) => (image.containerFormat = whileQueued(image, 'container', value)),
  disk_format: (image, value: string | null) => (image.diskFormat = whileQueued(image, 'disk', value)),
}

function whileQueued(image: Image, which: string, value: string | null): string | null {
  if (image.status === 'queued') return value
  throw forbidden(`Attribute ${which}_format can be only replaced for a queued image.`)
}

/** Sets one attribute or property of `image`. @throws CloudError `conflict` where the step does not fit what is there. */
export function apply(image: Image, { op, attribute, value, strict }: Change): void {
  const setter = Object.hasOwn(setters, attribute) ? setters[attribute] : undefined
  const there = setter !== undefined || Object.hasOwn(image.properties, attribute)
  if (setter === undefined && Object.hasOwn(baseProperties, attribute)) refuseReserved(attribute)
  if (op === 'add' && strict && there) throw new CloudError('conflict', `Property ${attribute} already present.`)
  if (op !== 'add' && !there) throw new CloudError('conflict', `Property ${attribute} does not exist.`)
  if (op === 'remove') {
    if (setter) throw forbidden(`Property ${attribute} may not be removed.`)
    delete image.properties[attribute]
  } else if (setter) {
    setter(image, value as never)
  } else {
    image.properties[attribute] = value as string
  }
}
