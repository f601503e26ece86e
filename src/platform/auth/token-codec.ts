import type { Delegation } from './delegation.ts'

/** What a token says. Ids and names as they were when it was issued. */
export interface Claims {
  readonly userId: string
  readonly userName: string
  readonly userDomainId: string
  readonly scope: Scope | null
  /** Implied roles included. */
  readonly roles: readonly { readonly id: string; readonly name: string }[]
  readonly methods: readonly string[]
  /** This token's own audit id, then that of the first token of its chain when it was made from another. */
  readonly auditIds: readonly string[]
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  /** Absent when the user logged in in person. */
  readonly delegation?: Delegation
  /** Absent for who is no guest of an identity provider elsewhere. */
  readonly federation?: Federation
}

/** By whom a user was vouched for, and the groups that they were said to be in. */
export interface Federation {
  readonly idpId: string
  readonly protocolId: string
  readonly groupIds: readonly string[]
}

export type Scope =
  | { readonly kind: 'project'; readonly id: string; readonly name: string; readonly domainId: string }
  | { readonly kind: 'domain'; readonly id: string; readonly name: string }
  | { readonly kind: 'system' }

/**
 * Fields are written as tag, length, bytes, so that a later version adds a tag and an older one skips it. Numbers are
 * fixed for ever: tokens outlive an upgrade.
 */
const tags = {
  userId: 1,
  userName: 2,
  userDomainId: 3,
  projectId: 4,
  projectName: 5,
  projectDomainId: 6,
  domainId: 7,
  domainName: 8,
  system: 9,
  roleId: 10,
  roleName: 11,
  method: 12,
  auditId: 13,
  issuedAtMs: 14,
  expiresAtMs: 15,
  /** JSON, as the next. */
  delegation: 16,
  federation: 17,
} as const

/** Set on the tag of an id of 32 hex digits, which travels as 16 bytes. */
const packed = 0x80

/** Source: none; the format is ours, and nobody else reads it. */
export function encode(claims: Claims): Buffer {
  const pieces: Buffer[] = []
  const put = (tag: number, text: string) => {
    const hex = /^[0-9a-f]{32}$/.test(text)
    const bytes = Buffer.from(text, hex ? 'hex' : 'utf8')
    pieces.push(Buffer.from([hex ? tag | packed : tag, ...lengthBytes(bytes.length)]), bytes)
  }
  put(tags.userId, claims.userId)
  put(tags.userName, claims.userName)
  put(tags.userDomainId, claims.userDomainId)
  const { scope } = claims
  if (scope?.kind === 'project') {
    put(tags.projectId, scope.id)
    put(tags.projectName, scope.name)
    put(tags.projectDomainId, scope.domainId)
  } else if (scope?.kind === 'domain') {
    put(tags.domainId, scope.id)
    put(tags.domainName, scope.name)
  } else if (scope) put(tags.system, '')
  for (const { id, name } of claims.roles) {
    put(tags.roleId, id)
    put(tags.roleName, name)
  }
  for (const method of claims.methods) put(tags.method, method)
  for (const auditId of claims.auditIds) put(tags.auditId, auditId)
  put(tags.issuedAtMs, claims.issuedAtMs.toString(36))
  put(tags.expiresAtMs, claims.expiresAtMs.toString(36))
  if (claims.delegation) put(tags.delegation, JSON.stringify(claims.delegation))
  if (claims.federation) put(tags.federation, JSON.stringify(claims.federation))
  return Buffer.concat(pieces)
}

/** The inverse of `encode`; what it is given has been signed by us. */
export function decode(bytes: Buffer): Claims {
  const fields = new Map<number, string[]>()
  for (let at = 0; at < bytes.length; ) {
    const head = bytes[at++]!
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    const text = bytes.toString(head & packed ? 'hex' : 'utf8', at, at + length)
    const tag = head & ~packed
    const list = fields.get(tag)
    if (list) list.push(text)
    else fields.set(tag, [text])
    at += length
  }
  const one = (tag: number) => fields.get(tag)?.[0] ?? ''
  const all = (tag: number) => fields.get(tag) ?? []
  const roleNames = all(tags.roleName)
  return {
    userId: one(tags.userId),
    userName: one(tags.userName),
    userDomainId: one(tags.userDomainId),
    scope: fields.has(tags.projectId)
      ? {
          kind: 'project',
          id: one(tags.projectId),
          name: one(tags.projectName),
          domainId: one(tags.projectDomainId),
        }
      : fields.has(tags.domainId)
        ? { kind: 'domain', id: one(tags.domainId), name: one(tags.domainName) }
        : fields.has(tags.system)
          ? { kind: 'system' }
          : null,
    roles: all(tags.roleId).map((id, i) => ({ id, name: roleNames[i]! })),
    methods: all(tags.method),
    auditIds: all(tags.auditId),
    issuedAtMs: Number.parseInt(one(tags.issuedAtMs), 36),
    expiresAtMs: Number.parseInt(one(tags.expiresAtMs), 36),
    ...(fields.has(tags.delegation) ? { delegation: JSON.parse(one(tags.delegation)) as Delegation } : {}),
    ...(fields.has(tags.federation) ? { federation: JSON.parse(one(tags.federation)) as Federation } : {}),
  }
}

function lengthBytes(length: number): number[] {
  return length < 0x80 ? [length] : [(length & 0x7f) | 0x80, ...lengthBytes(length >>> 7)]
}
