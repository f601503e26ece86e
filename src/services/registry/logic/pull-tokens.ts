import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Clock } from '../../../platform/clock.ts'
import { newId } from '../../../platform/ids.ts'

/** Signs and checks tokens that allow pulling from exactly one repository. */
export interface PullTokens {
  /** A JSON Web Token that ends after `ttlSeconds`. */
  issue(repository: string, ttlSeconds: number): string
  /** The repositories that may be pulled from; null for a token that is not ours, altered or expired. */
  verify(token: string): readonly string[] | null
}

const issuer = 'berth'
const audience = 'registry'
const header = base64url(JSON.stringify({ typ: 'JWT', alg: 'HS256' }))

const Claims = Type.Object({
  iss: Type.Literal(issuer),
  aud: Type.Literal(audience),
  exp: Type.Integer(),
  access: Type.Array(
    Type.Object({ type: Type.Literal('repository'), name: Type.String(), actions: Type.Array(Type.String()) }),
  ),
})

/**
 * Source: distribution's "Token Authentication Implementation". A keyed hash rather than a key pair: the registry that
 * signs is the one that checks.
 */
export function createPullTokens(key: Buffer, clock: Clock): PullTokens {
  const signatureOf = (text: string) => createHmac('sha256', key).update(text).digest()
  return {
    issue(repository, ttlSeconds) {
      const now = Math.floor(clock.nowMs() / 1000)
      const claims = {
        iss: issuer,
        sub: 'engine',
        aud: audience,
        iat: now,
        nbf: now,
        exp: now + ttlSeconds,
        jti: newId(),
        access: [{ type: 'repository', name: repository, actions: ['pull'] }],
      }
      const text = `${header}.${base64url(JSON.stringify(claims))}`
      return `${text}.${signatureOf(text).toString('base64url')}`
    },

    verify(token) {
      const [head, body, signature, ...more] = token.split('.')
      if (head !== header || !body || !signature || more.length > 0) return null
      const expected = signatureOf(`${head}.${body}`)
      const given = Buffer.from(signature, 'base64url')
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null
      const claims: unknown = JSON.parse(Buffer.from(body, 'base64url').toString()) // ours: the signature is right
      if (!Value.Check(Claims, claims) || claims.exp * 1000 <= clock.nowMs()) return null
      return claims.access.filter(({ actions }) => actions.includes('pull')).map(({ name }) => name)
    },
  }
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
