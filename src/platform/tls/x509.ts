import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** What a certificate says. */
export interface Wanted {
  subject: string
  issuer: string
  /** Host names and addresses; none for an authority. */
  names: readonly string[]
  isAuthority: boolean
  notBefore: Date
  notAfter: Date
  publicKey: KeyObject
  /** Of the issuer. */
  issuerPublicKey: KeyObject
  issuerKey: KeyObject
}

const tlv = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  const size: number[] = []
  for (let rest = body.length; rest > 0; rest >>= 8) size.unshift(rest & 0xff)
  const length = body.length < 128 ? [body.length] : [0x80 | size.length, ...size]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
const sequence = (...parts: readonly Buffer[]) => tlv(0x30, ...parts)
const octets = (bytes: Buffer) => tlv(0x04, bytes)
const integer = (bytes: Buffer) => tlv(0x02, (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)
const boolean = (value: boolean) => tlv(0x01, Buffer.from([value ? 0xff : 0]))
const bits = (bytes: Buffer, unused = 0) => tlv(0x03, Buffer.from([unused]), bytes)

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const part of rest) {
    const groups = [part & 0x7f]
    for (let high = part >> 7; high > 0; high >>= 7) groups.unshift((high & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return tlv(0x06, Buffer.from(bytes))
}

const name = (text: string) => sequence(tlv(0x31, sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from(text)))))

/** UTCTime until 2049, as the profile wants it. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '')
  return date.getUTCFullYear() < 2050 ? tlv(0x17, Buffer.from(digits.slice(2))) : tlv(0x18, Buffer.from(digits))
}

const extension = (id: string, value: Buffer, isCritical = false) =>
  sequence(oid(id), ...(isCritical ? [boolean(true)] : []), octets(value))

const alternative = (text: string) =>
  isIP(text) ? tlv(0x87, Buffer.from(ipaddr.parse(text).toByteArray())) : tlv(0x82, Buffer.from(text))

const spkiOf = (key: KeyObject) => key.export({ type: 'spki', format: 'der' })
const idOf = (key: KeyObject) => createHash('sha1').update(spkiOf(key)).digest()

/** A certificate in PEM, signed with ECDSA and SHA-256. Source: RFC 5280, "Certificate and Certificate Extensions Profile". */
export function certificate(wanted: Wanted): string {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'))
  const { isAuthority, names } = wanted
  const extensions = [
    extension('2.5.29.19', sequence(...(isAuthority ? [boolean(true), integer(Buffer.from([0]))] : [])), true),
    // Of an authority: certificates and revocation lists; of a server: signatures.
    extension('2.5.29.15', isAuthority ? bits(Buffer.from([0x06]), 1) : bits(Buffer.from([0x80]), 7), true),
    extension('2.5.29.14', octets(idOf(wanted.publicKey))),
    extension('2.5.29.35', sequence(tlv(0x80, idOf(wanted.issuerPublicKey)))),
    ...(isAuthority ? [] : [extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1')))]),
    ...(names.length > 0 ? [extension('2.5.29.17', sequence(...names.map(alternative)))] : []),
  ]
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x7f) | 0x40
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    name(wanted.issuer),
    sequence(time(wanted.notBefore), time(wanted.notAfter)),
    name(wanted.subject),
    spkiOf(wanted.publicKey),
    tlv(0xa3, sequence(...extensions)),
  )
  const der = sequence(body, algorithm, bits(sign('sha256', body, wanted.issuerKey)))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
