import { argon2, pbkdf2, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'

/** Source: OWASP Password Storage Cheat Sheet, Argon2id, second recommended setting. Measured here: 30 ms of one core. */
const cost = { memory: 19_456, passes: 2, parallelism: 1 } // memory in KiB
const saltBytes = 16
const tagBytes = 32

/**
 * The thread pool (4 threads) also syncs the database: a burst of log-ins must leave it a thread, or every write waits
 * behind the burst. More at once than cores would only make each slower.
 */
const atOnce = Math.min(availableParallelism(), 3)
let running = 0
const waiting: (() => void)[] = []

const argon2Now = promisify(argon2)
const scryptNow = promisify(scrypt) as (
  password: string,
  salt: Buffer,
  length: number,
  options: ScryptOptions,
) => Promise<Buffer>
const pbkdf2Now = promisify(pbkdf2)

let done = 0
/** How many hashes this process has computed: what a log-in costs is this, and must not tell who exists. */
export const hashesComputed = (): number => done

async function inTurn(compute: () => Promise<Buffer>): Promise<Buffer> {
  if (running < atOnce) running++
  else await new Promise<void>((resolve) => waiting.push(resolve)) // takes over the place of the one that ends
  try {
    done++
    return await compute()
  } finally {
    const next = waiting.shift()
    if (next) next()
    else running--
  }
}

/** A hash nobody's password has: what an unknown user's password is compared with, so that it takes as long. */
const nobody = `${header(cost)}$${base64(Buffer.alloc(saltBytes, 1))}$${base64(Buffer.alloc(tagBytes))}`

/** The password's hash as a PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`). Runs off the event loop. */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(saltBytes)
  const wanted = { message: password, nonce, tagLength: tagBytes, ...cost }
  const tag = await inTurn(() => argon2Now('argon2id', wanted))
  return `${header(cost)}$${base64(nonce)}$${base64(tag)}`
}

/**
 * Whether `password` is the one of `hash`. Null stands for a user who does not exist or has no password: it costs the
 * same and is always false. Runs off the event loop.
 */
export async function verifyPassword(password: string, hash: string | null): Promise<boolean> {
  const { tag, compute } = parse(hash ?? nobody)
  const found = await inTurn(() => compute(password))
  return timingSafeEqual(found, tag) && hash !== null
}

/** True when a hash was made at a lower cost than today's, or by another program: hash again at the next log-in. */
export function needsRehash(hash: string): boolean {
  return !hash.startsWith(`${header(cost)}$`)
}

function header({ memory, passes, parallelism }: typeof cost): string {
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}`
}

interface Parsed {
  tag: Buffer
  compute(password: string): Promise<Buffer>
}

/**
 * Ours; and Keystone's `scrypt` and `pbkdf2_sha512` as passlib writes them, for users brought along from there. Its
 * bcrypt is not among what Node computes.
 */
function parse(hash: string): Parsed {
  const argon = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/.exec(hash)
  if (argon) {
    const [memory, passes, parallelism] = argon.slice(1, 4).map(Number) as [number, number, number]
    const [nonce, tag] = [Buffer.from(argon[4]!, 'base64'), Buffer.from(argon[5]!, 'base64')]
    const wanted = { nonce, tagLength: tag.length, memory, passes, parallelism }
    return { tag, compute: (message) => argon2Now('argon2id', { message, ...wanted }) }
  }
  const scrypted = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/.exec(hash)
  if (scrypted) {
    const [log, r, p] = scrypted.slice(1, 4).map(Number) as [number, number, number]
    const [salt, tag] = [Buffer.from(scrypted[4]!, 'base64'), Buffer.from(scrypted[5]!, 'base64')]
    const options = { N: 2 ** log, r, p, maxmem: 256 * 2 ** log * r }
    return { tag, compute: (password) => scryptNow(password, salt, tag.length, options) }
  }
  const derived = /^\$pbkdf2-sha512\$(\d+)\$([\w./]+)\$([\w./]+)$/.exec(hash)
  if (!derived) throw new Error('A stored password hash is in no form that this program knows')
  // passlib's own base64 has a dot for the plus.
  const [salt, tag] = derived.slice(2).map((text) => Buffer.from(text.replaceAll('.', '+'), 'base64')) as [
    Buffer,
    Buffer,
  ]
  return { tag, compute: (password) => pbkdf2Now(password, salt, Number(derived[1]), tag.length, 'sha512') }
}

/** PHC strings carry base64 without padding. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
