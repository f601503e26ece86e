import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Type } from 'typebox'
import type { Clock } from '../../../platform/clock.ts'
import { fits } from '../../../platform/http/validation.ts'
import { newId } from '../../../platform/ids.ts'

/** What a token allows in one repository, or of the catalogue. */
export interface Access {
  type: string
  name: string
  actions: readonly string[]
}

/** A token that is ours and in time. */
export interface Verified {
  access: readonly Access[]
  /** The Identity token of who it was given to; null for engines, which pull for nobody in particular. */
  identityToken: string | null
}

/** Signs and checks JSON Web Tokens. */
export interface Tokens {
  issue(wanted: { subject: string; access: readonly Access[]; ttlSeconds: number; identityToken?: string }): string
  /** Null for a token that is not ours, altered or expired. */
  verify(token: string): Verified | null
}

const issuer = 'berth'
const audience = 'registry'
const header = base64url(JSON.stringify({ typ: 'JWT', alg: 'HS256' }))

const Claims = Type.Object({
  iss: Type.Literal(issuer),
  aud: Type.Literal(audience),
  exp: Type.Integer(),
  access: Type.Array(Type.Object({ type: Type.String(), name: Type.String(), actions: Type.Array(Type.String()) })),
  id: Type.Optional(Type.String()),
})

/** A push asks with the same token dozens of times. */
const remember = 2000

/**
 * Source: distribution's "Token Authentication Implementation". A keyed hash rather than a key pair: the registry that
 * signs is the one that checks. The Identity token inside is encrypted: who gets hold of a narrow token gets no more.
 */
export function createTokens(key: Buffer, clock: Clock): Tokens {
  const signatureOf = (text: string) => createHmac('sha256', key).update(text).digest()
  const sealing = Buffer.from(hkdfSync('sha256', key, '', 'berth registry identity token', 32))
  const seen = new Map<string, Verified & { expiresMs: number }>()

  const read = (token: string): (Verified & { expiresMs: number }) | null => {
    const [head, body, signature, ...more] = token.split('.')
    if (head !== header || !body || !signature || more.length > 0) return null
    const expected = signatureOf(`${head}.${body}`)
    const given = Buffer.from(signature, 'base64url')
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null
    const claims: unknown = JSON.parse(Buffer.from(body, 'base64url').toString()) // ours: the signature is right
    if (!fits(Claims, claims)) return null
    const identityToken = claims.id === undefined ? null : unseal(sealing, claims.id)
    return { access: claims.access, identityToken, expiresMs: claims.exp * 1000 }
  }

  return {
    issue({ subject, access, ttlSeconds, identityToken }) {
      const now = Math.floor(clock.nowMs() / 1000)
      const claims = {
        iss: issuer,
        sub: subject,
        aud: audience,
        iat: now,
        nbf: now,
        exp: now + ttlSeconds,
        jti: newId(),
        access,
        ...(identityToken === undefined ? {} : { id: seal(sealing, identityToken) }),
      }
      const text = `${header}.${base64url(JSON.stringify(claims))}`
      return `${text}.${signatureOf(text).toString('base64url')}`
    },

    verify(token) {
      const found = seen.get(token) ?? read(token)
      if (!found || found.expiresMs <= clock.nowMs()) {
        seen.delete(token)
        return null
      }
      if (!seen.has(token)) {
        seen.set(token, found)
        if (seen.size > remember) seen.delete(seen.keys().next().value ?? '')
      }
      return found
    },
  }
}

const ivBytes = 12
const tagBytes = 16

function seal(key: Buffer, text: string): string {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')
}

function unseal(key: Buffer, text: string): string {
  const bytes = Buffer.from(text, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes })
  decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes))
  return Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]).toString('utf8')
}

/** The signing key in the state directory, made at the first start. */
export async function loadKey(stateDir: string): Promise<Buffer> {
  const path = join(stateDir, 'registry.key')
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.write(randomBytes(32))
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) throw thrown
  }
  const key = await readFile(path)
  if (key.length !== 32) throw new Error(`${path} is damaged: remove it, and a new one is made`)
  return key
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}
