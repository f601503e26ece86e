import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
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

const deriveNow = promisify(argon2)

async function derive(...args: Parameters<typeof deriveNow>): Promise<Buffer> {
  if (running < atOnce) running++
  else await new Promise<void>((resolve) => waiting.push(resolve)) // takes over the place of the one that ends
  try {
    return await deriveNow(...args)
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
  const tag = await derive('argon2id', { message: password, nonce, tagLength: tagBytes, ...cost })
  return `${header(cost)}$${base64(nonce)}$${base64(tag)}`
}

/**
 * Whether `password` is the one of `hash`. Null stands for a user who does not exist or has no password: it costs the
 * same and is always false. Runs off the event loop.
 */
export async function verifyPassword(password: string, hash: string | null): Promise<boolean> {
  const { nonce, tag, ...was } = parse(hash ?? nobody)
  const found = await derive('argon2id', { message: password, nonce, tagLength: tag.length, ...was })
  return timingSafeEqual(found, tag) && hash !== null
}

/** True when a hash was made at a lower cost than today's: hash again at the next log-in. */
export function needsRehash(hash: string): boolean {
  return !hash.startsWith(`${header(cost)}$`)
}

function header({ memory, passes, parallelism }: typeof cost): string {
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}`
}

function parse(hash: string) {
  const parts = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/.exec(hash)
  if (!parts) throw new Error('A stored password hash is not in the form that this program writes')
  const [memory, passes, parallelism] = parts.slice(1, 4).map(Number) as [number, number, number]
  return { memory, passes, parallelism, nonce: Buffer.from(parts[4]!, 'base64'), tag: Buffer.from(parts[5]!, 'base64') }
}

/** PHC strings carry base64 without padding. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
