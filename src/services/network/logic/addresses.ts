import ipaddr from 'ipaddr.js'

export type IpVersion = 4 | 6

export interface Ip {
  version: IpVersion
  value: bigint
}

/** A network prefix; `first` and `last` are all of its addresses, network and broadcast included. */
export interface Cidr {
  version: IpVersion
  prefix: number
  first: bigint
  last: bigint
}

export interface Range {
  first: bigint
  last: bigint
}

export const bitsOf = (version: IpVersion): number => (version === 4 ? 32 : 128)

/** Dotted quads without leading zeros, and IPv6 without a zone; anything else gives null. Source: RFC 4291 §2.2. */
export function parseIp(text: string): Ip | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
    // A leading zero reads as octal to some tools and as decimal to others.
    if (/(^|\.)0\d/.test(text)) return null
    return { version: 4, value: numberOf(ipaddr.IPv4.parse(text).toByteArray()) }
  }
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return null
  return { version: 6, value: numberOf(ipaddr.IPv6.parse(text).toByteArray()) }
}

/** The canonical text (RFC 5952), so that equal addresses are equal strings. */
export function formatIp(version: IpVersion, value: bigint): string {
  const bytes: number[] = []
  for (let shift = bitsOf(version) - 8; shift >= 0; shift -= 8) bytes.push(Number((value >> BigInt(shift)) & 0xffn))
  const address = ipaddr.fromByteArray(bytes)
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString()
}

/** `10.0.0.5` → the same text, `2001:DB8::0:1` → `2001:db8::1`; null when it is no address. */
export function canonicalIp(text: string): string | null {
  const ip = parseIp(text)
  return ip && formatIp(ip.version, ip.value)
}

/** `a.b.c.d/n`, host bits allowed; a bare address is its own /32 or /128. */
export function parseCidr(text: string): Cidr | null {
  const [address = '', length, ...rest] = text.split('/')
  const ip = parseIp(address)
  if (!ip || rest.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length))) return null
  const bits = bitsOf(ip.version)
  const prefix = length === undefined ? bits : Number(length)
  if (prefix > bits) return null
  const hostMask = (1n << BigInt(bits - prefix)) - 1n
  const first = ip.value & ~hostMask
  return { version: ip.version, prefix, first, last: first | hostMask }
}

export const formatCidr = (cidr: Cidr): string => `${formatIp(cidr.version, cidr.first)}/${cidr.prefix}`

export const contains = (range: Range, value: bigint): boolean => value >= range.first && value <= range.last

export const overlap = (a: Range, b: Range): boolean => a.first <= b.last && b.first <= a.last

/** All addresses a host may have: neither the network's nor the broadcast address, unless the prefix leaves no others. */
export function hostRange(cidr: Cidr): Range {
  const bits = bitsOf(cidr.version)
  if (cidr.prefix >= bits - 1) return { first: cidr.first, last: cidr.last }
  // IPv6 has no broadcast; its first address is every router's (RFC 4291 §2.6.1).
  return { first: cidr.first + 1n, last: cidr.version === 4 ? cidr.last - 1n : cidr.last }
}

/** The address SLAAC gives a MAC address on a prefix. Source: RFC 4291 appendix A. */
export function eui64(cidr: Cidr, macAddress: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = macAddress.split(':').map((byte) => Number.parseInt(byte, 16))
  const identifier = numberOf([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
  return formatIp(6, (cidr.first & ~((1n << 64n) - 1n)) | identifier)
}

const numberOf = (bytes: readonly number[]): bigint => bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
