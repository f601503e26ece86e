import { createHmac, timingSafeEqual } from 'node:crypto'

const periodMs = 30_000
/** The present one, and as many before it: clocks differ, and people type slowly. Keystone's default. */
const periodsBefore = 1

/**
 * Whether `passcode` is what the secret gives about now: six digits, HMAC-SHA1, steps of 30 seconds.
 * Source: RFC 6238; the secret is Base32 (RFC 4648), with or without padding.
 */
export function isPasscode(secret: string, passcode: string, nowMs: number): boolean {
  const key = fromBase32(secret)
  if (!key) return false
  const step = Math.floor(nowMs / periodMs)
  let found = false
  for (let before = 0; before <= periodsBefore && before <= step; before++)
    if (same(passcodeAt(key, step - before), passcode)) found = true
  return found
}

/** Source: RFC 4226 §5.3. */
export function passcodeAt(key: Buffer, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const digest = createHmac('sha1', key).update(counter).digest()
  const number = digest.readUInt32BE(digest[digest.length - 1]! & 0xf) & 0x7fffffff
  return String(number % 1_000_000).padStart(6, '0')
}

/** Null when it is none. */
export function fromBase32(text: string): Buffer | null {
  const letters = text.trim().replace(/=+$/, '')
  if (letters === '' || !/^[A-Z2-7]+$/.test(letters)) return null
  const bytes: number[] = []
  let bits = 0
  let value = 0
  for (const letter of letters) {
    value = ((value << 5) | 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter)) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes.push((value >>> bits) & 0xff)
  }
  return Buffer.from(bytes)
}

const same = (a: string, b: string): boolean => {
  const [x, y] = [Buffer.from(a), Buffer.from(b)]
  return x.length === y.length && timingSafeEqual(x, y)
}
