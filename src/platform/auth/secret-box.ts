import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'

const format = 'v1'
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16

/** Keeps secrets that must be read again (so not hashed) unreadable in the database: AES-256-GCM. */
export interface SecretBox {
  /** `owner` is bound to it: what is sealed for one row opens in no other. */
  seal(text: string, owner: string): string
  /** @throws Error when the key is lost, or the text was not sealed for this owner. */
  open(sealed: string, owner: string): string
  /** Makes a new key and seals with it from now on; what older keys sealed can still be opened. */
  rotate(): void
  /** What everything begins with that the newest key sealed. */
  readonly mark: string
  /** How many keys there are, as this process knows them. */
  keys(): number
  /** Takes over keys that another process made, and gives up those that it has forgotten. */
  refresh(): void
  /** Forgets keys that were replaced more than `ageMs` ago. The caller has made sure that nothing needs them. */
  retire(ageMs: number): void
}

interface Key {
  readonly id: string
  readonly madeAtMs: number
  readonly bytes: Buffer
  readonly file: string
}

/**
 * Opens the keys `<name>-….key` in `dir` (made when absent, 0700, files 0600), and makes the first one. All control
 * processes share the directory's content, as they do that of the token keys.
 * Source: NIST SP 800-38D; a random nonce of 96 bits is good for 2³² secrets a key.
 */
export function openSecretBox(dir: string, name: string, clock: Clock): SecretBox {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const load = (): Key[] =>
    readdirSync(dir)
      .flatMap((file) => {
        const [, prefix, madeAt, id] = /^(.+)-(\d+)-([0-9a-f]{8})\.key$/.exec(file) ?? []
        if (!id || prefix !== name) return []
        const bytes = Buffer.from(readFileSync(join(dir, file), 'utf8').trim(), 'hex')
        return [{ id, madeAtMs: Number(madeAt), bytes, file: join(dir, file) }]
      })
      .sort((a, b) => b.madeAtMs - a.madeAtMs)
  let keys = load()
  const rotate = () => {
    const bytes = randomBytes(keyBytes)
    const id = createHash('sha256').update(bytes).digest('hex').slice(0, 8)
    const file = join(dir, `${name}-${clock.nowMs()}-${id}.key`)
    writeFileSync(`${file}.new`, `${bytes.toString('hex')}\n`, { mode: 0o600 })
    chmodSync(`${file}.new`, 0o600)
    renameSync(`${file}.new`, file) // whole or absent, also for a process that reads the directory now
    keys = load()
  }
  if (keys.length === 0) rotate()

  const find = (id: string): Key => {
    let key = keys.find((each) => each.id === id)
    if (!key) {
      keys = load() // another process may have made it
      key = keys.find((each) => each.id === id)
    }
    if (!key) throw new Error(`The key ${name} ${id} is not in ${dir}`)
    return key
  }

  return {
    seal(text, owner) {
      const key = keys[0]!
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce).setAAD(Buffer.from(owner))
      const bytes = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `${format}.${key.id}.${bytes.toString('base64url')}`
    },
    open(sealed, owner) {
      const [version, id = '', encoded = ''] = sealed.split('.')
      if (version !== format) throw new Error(`A secret of an unknown format: ${version}`)
      const bytes = Buffer.from(encoded, 'base64url')
      const decipher = createDecipheriv('aes-256-gcm', find(id).bytes, bytes.subarray(0, nonceBytes))
      decipher.setAAD(Buffer.from(owner)).setAuthTag(bytes.subarray(-tagBytes))
      const text = bytes.subarray(nonceBytes, -tagBytes)
      return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8')
    },
    rotate,
    get mark() {
      return `${format}.${keys[0]!.id}.`
    },
    keys: () => keys.length,
    refresh: () => {
      keys = load()
    },
    retire(ageMs) {
      for (const [i, { file }] of keys.entries()) {
        const replacedAtMs = keys[i - 1]?.madeAtMs
        if (replacedAtMs !== undefined && clock.nowMs() - replacedAtMs > ageMs) rmSync(file, { force: true })
      }
      keys = load()
    },
  }
}
