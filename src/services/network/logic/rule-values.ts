import { formatCidr, parseCidr } from './addresses.ts'
import { badRequest } from './errors.ts'
import { type Parse, Reason, shown } from './values.ts'

/** Protocols that may be named; any other goes by its number. Source: Network API reference, "Security group rules". */
export const protocolNumbers: Readonly<Record<string, number>> = {
  ah: 51,
  dccp: 33,
  egp: 8,
  esp: 50,
  gre: 47,
  hopopt: 0,
  icmp: 1,
  igmp: 2,
  ip: 0,
  ipip: 4,
  'ipv6-encap': 41,
  'ipv6-frag': 44,
  'ipv6-icmp': 58,
  icmpv6: 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  'ipv6-route': 43,
  ospf: 89,
  pgm: 113,
  rsvp: 46,
  sctp: 132,
  tcp: 6,
  udp: 17,
  udplite: 136,
  vrrp: 112,
}

/** Make sense on IPv6 only. */
const ipv6Only = new Set(['ipv6-encap', 'ipv6-frag', 'ipv6-icmp', 'icmpv6', 'ipv6-nonxt', 'ipv6-opts', 'ipv6-route'])

export const isIpv6Only = (protocol: string): boolean =>
  ipv6Only.has(protocol) || [...ipv6Only].some((name) => String(protocolNumbers[name]) === protocol)

export const withPorts: ReadonlySet<number> = new Set([6, 17, 33, 132, 136])
export const isIcmp = (protocol: string | null): boolean =>
  protocol !== null && ['icmp', 'icmpv6', 'ipv6-icmp', '1', '58'].includes(protocol)

/** A name or number, as text; null for any. @throws CloudError `badRequest` */
export const protocol: Parse<string | null> = (value) => {
  if (value === null || value === '') return null
  const text = String(value).toLowerCase()
  if (text === 'any') return null
  if (/^\d{1,3}$/.test(text) && Number(text) <= 255) return String(Number(text))
  if (Object.hasOwn(protocolNumbers, text)) return text
  throw badRequest(
    'SecurityGroupRuleInvalidProtocol',
    `Security group rule protocol ${shown(value)} not supported. Only protocol values ` +
      `[${Object.keys(protocolNumbers)
        .map((name) => `'${name}'`)
        .join(', ')}] and integer representations [0 to 255] are supported.`,
  )
}

export const ethertype: Parse<'IPv4' | 'IPv6'> = (value) => {
  const found = (['IPv4', 'IPv6'] as const).find((known) => known.toLowerCase() === String(value).toLowerCase())
  if (!found) throw new Reason(`'${shown(value)}' is not in ['IPv4', 'IPv6']`)
  return found
}

/** A port, or an ICMP type or code: which of them only the protocol tells. @throws CloudError `badRequest` */
export const portValue: Parse<number | null> = (value) => {
  if (value === null || value === '') return null
  const number = Number(value)
  if (typeof value === 'boolean' || !Number.isInteger(number) || number < 0 || number > 65_535) {
    throw badRequest('SecurityGroupInvalidPortValue', `Invalid value for port ${shown(value)}`)
  }
  return number
}

/** @throws CloudError `badRequest` */
export const prefix: Parse<string | null> = (value) => {
  if (value === null || value === '') return null
  const cidr = typeof value === 'string' ? parseCidr(value) : null
  if (!cidr) throw badRequest('InvalidCIDR', `Invalid CIDR ${shown(value)} given as IP prefix.`)
  // Kept as it was sent, host bits and all; `normalized_cidr` is the network.
  const [address = ''] = (value as string).split('/')
  return (value as string).includes('/') ? `${address}/${cidr.prefix}` : formatCidr(cidr)
}
