import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'

const format = 1
const kidBytes = 4
const signatureBytes = 64
/** An unknown key id may be a key that another process just made; look again, but not for every forged token. */
const lookAgainMs = 1000

/** Signs and verifies with Ed25519 (RFC 8032). */
export interface TokenKeys {
  /** `payload` in, text fit for a header out. */
  seal(payload: Buffer): string
  /** The payload; null when it was not sealed by one of our keys. `known`: this very text was opened before. */
  open(token: string, known?: boolean): Buffer | null
  /** Makes a new key and signs with it from now on; what older keys signed stays valid. */
  rotate(): void
  /** Forgets keys that were replaced more than `ageMs` ago: give the longest life of a token. */
  retire(ageMs: number): void
  /** Newest first, as this process knows them: the first signs. */
  list(): readonly { kid: string; madeAtMs: number }[]
}

interface Key {
  file: string
  madeAtMs: number
  kid: string
  privateKey: KeyObject
  publicKey: KeyObject
}

/**
 * Opens the keys in `dir` (made when absent, 0700, files 0600), and makes the first one. All control processes share
 * the directory's content; a key that appears there later is found when the first token signed with it comes.
 */
export function openTokenKeys(dir: string, clock: Clock): TokenKeys {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  let keys = load(dir)
  let lookedAtMs = clock.nowMs()
  const make = () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const file = join(dir, `token-${clock.nowMs()}-${kidOf(createPublicKey(privateKey))}.pem`)
    writeFileSync(`${file}.new`, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    chmodSync(`${file}.new`, 0o600)
    renameSync(`${file}.new`, file) // whole or absent, also for a process that reads the directory now
    keys = load(dir)
  }
  if (keys.length === 0) make()

  const find = (kid: string): Key | undefined => {
    const found = keys.find((key) => key.kid === kid)
    if (found || clock.nowMs() - lookedAtMs < lookAgainMs) return found
    lookedAtMs = clock.nowMs()
    keys = load(dir)
    return keys.find((key) => key.kid === kid)
  }

  return {
    seal(payload) {
      const key = keys[0]!
      const signed = Buffer.concat([Buffer.from([format]), Buffer.from(key.kid, 'hex'), payload])
      return Buffer.concat([signed, sign(null, signed, key.privateKey)]).toString('base64url')
    },
    open(token, known = false) {
      if (!/^[\w-]+$/.test(token)) return null // Buffer.from would skip other characters: one token, many spellings
      const bytes = Buffer.from(token, 'base64url')
      if (bytes[0] !== format || bytes.length < 1 + kidBytes + signatureBytes) return null
      if (bytes.toString('base64url') !== token) return null
      const key = find(bytes.toString('hex', 1, 1 + kidBytes))
      if (!key) return null
      const signed = bytes.subarray(0, -signatureBytes)
      if (!known && !verify(null, signed, key.publicKey, bytes.subarray(-signatureBytes))) return null
      return signed.subarray(1 + kidBytes)
    },
    rotate: make,
    list: () => keys.map(({ kid, madeAtMs }) => ({ kid, madeAtMs })),
    retire(ageMs) {
      keys = load(dir)
      for (const [i, { file }] of keys.entries()) {
        const replacedAtMs = keys[i - 1]?.madeAtMs
        if (replacedAtMs !== undefined && clock.nowMs() - replacedAtMs > ageMs) rmSync(file)
      }
      keys = load(dir)
    },
  }
}

/** Newest first. */
function load(dir: string): Key[] {
  return readdirSync(dir)
    .flatMap((name) => {
      const parts = /^token-(\d+)-[0-9a-f]+\.pem$/.exec(name)
      if (!parts) return []
      const file = join(dir, name)
      const privateKey = createPrivateKey(readFileSync(file))
      const publicKey = createPublicKey(privateKey)
      return [{ file, madeAtMs: Number(parts[1]), kid: kidOf(publicKey), privateKey, publicKey }]
    })
    .sort((a, b) => b.madeAtMs - a.madeAtMs)
}

const kidOf = (key: KeyObject) =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, kidBytes * 2)
