import { type KeyObject, randomBytes, sign } from 'node:crypto'

// The tags of X.690 that a certificate needs.
const sequence = (...parts: Buffer[]) => tagged(0x30, ...parts)
const set = (...parts: Buffer[]) => tagged(0x31, ...parts)
const utf8 = (text: string) => tagged(0x0c, Buffer.from(text))
const octets = (...parts: Buffer[]) => tagged(0x04, ...parts)
const bits = (bytes: Buffer) => tagged(0x03, Buffer.from([0]), bytes)
const integer = (bytes: Buffer) => tagged(0x02, bytes)
const explicit = (number: number, ...parts: Buffer[]) => tagged(0xa0 + number, ...parts)
const none = Buffer.from([0x05, 0x00])

function tagged(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const length = content.length
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...head]), content])
}

/** An object identifier from its dotted numbers. */
function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const number of rest) {
    const groups = [number & 0x7f]
    for (let left = number >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return tagged(0x06, Buffer.from(bytes))
}

/** `YYYYMMDDhhmmssZ` has room for any year; RFC 5280 wants the short form before 2050. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\D/g, '').slice(0, 14)
  return Number(digits.slice(0, 4)) < 2050
    ? tagged(0x17, Buffer.from(`${digits.slice(2)}Z`))
    : tagged(0x18, Buffer.from(`${digits}Z`))
}

const tenYearsMs = 3650 * 86_400_000

/**
 * A self-signed certificate with which a client proves a user, in PEM: what Windows guests take in place of an SSH key.
 * Source: RFC 5280; the alternative name is Microsoft's User Principal Name.
 */
export function clientCertificate(user: string, publicKey: KeyObject, privateKey: KeyObject, nowMs: number): string {
  const algorithm = sequence(oid('1.2.840.113549.1.1.11'), none) // sha256WithRSAEncryption
  const name = sequence(set(sequence(oid('2.5.4.3'), utf8(user))))
  const usage = sequence(oid('2.5.29.37'), octets(sequence(oid('1.3.6.1.5.5.7.3.2')))) // clientAuth
  const principal = explicit(0, oid('1.3.6.1.4.1.311.20.2.3'), explicit(0, utf8(`${user}@localhost`)))
  const alternative = sequence(oid('2.5.29.17'), octets(sequence(principal)))
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x7f) | 0x01
  const content = sequence(
    explicit(0, integer(Buffer.from([2]))),
    ...[integer(serial), algorithm, name, sequence(time(nowMs), time(nowMs + tenYearsMs)), name],
    publicKey.export({ format: 'der', type: 'spki' }),
    explicit(3, sequence(usage, alternative)),
  )
  const certificate = sequence(content, algorithm, bits(sign('sha256', content, privateKey)))
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
