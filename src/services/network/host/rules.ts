import ipaddr from 'ipaddr.js'
import type { Flow } from '../../../machine/net/flows.ts'
import type { SecurityRule } from '../messages.ts'

/** Source: Networking API reference, "Security group rules", `protocol`; numbers from IANA's registry. */
const protocolNumbers: Readonly<Record<string, number>> = {
  ...{
    icmp: 1,
    igmp: 2,
    ipip: 4,
    tcp: 6,
    egp: 8,
    udp: 17,
    dccp: 33,
    'ipv6-encap': 41,
    'ipv6-route': 43,
    'ipv6-frag': 44,
  },
  ...{ rsvp: 46, gre: 47, esp: 50, ah: 51, icmpv6: 58, 'ipv6-icmp': 58, 'ipv6-nonxt': 59, 'ipv6-opts': 60, ospf: 89 },
  ...{ vrrp: 112, pgm: 113, sctp: 132, udplite: 136 },
}
const withPorts: ReadonlySet<number> = new Set([6, 17, 33, 132, 136])

/** null is any. `icmp` in an IPv6 rule means ICMPv6, as upstream has it. */
export function protocolNumber({ protocol, ethertype }: Pick<SecurityRule, 'protocol' | 'ethertype'>): number | null {
  if (protocol === null || protocol === 'any' || protocol === '') return null
  const number = protocolNumbers[protocol.toLowerCase()] ?? Number(protocol)
  if (!Number.isInteger(number) || number < 0 || number > 255) throw new Error(`protocol ${protocol} is not known`)
  return number === 1 && ethertype === 'IPv6' ? 58 : number
}

/** The sets that hold the addresses of a group's ports in one network. */
export const memberSet = (groupId: string, ethertype: SecurityRule['ethertype']): string =>
  `inet berth m${ethertype === 'IPv4' ? 4 : 6}-${groupId}`
const shortName = (path: string): string => path.slice('inet berth '.length)

/**
 * A security group rule as nft rules; more than one where a remote group has members that are ranges (`ranges`).
 * Source: Networking API reference, "Security group rules"; nft(8).
 */
export function nftRules(rule: SecurityRule, ranges: (groupId: string) => readonly string[]): string[] {
  const family = rule.ethertype === 'IPv4' ? 'ip' : 'ip6'
  const far = `${family} ${rule.direction === 'ingress' ? 'saddr' : 'daddr'}`
  const words = `${layer4(rule)}accept`
  if (rule.remoteGroupId !== null) {
    const inside = ranges(rule.remoteGroupId).filter((range) => range.includes(':') === (family === 'ip6'))
    const members = `${far} @${shortName(memberSet(rule.remoteGroupId, rule.ethertype))} ${words}`
    return [members, ...inside.map((range) => `${far} ${networkOf(range)} ${words}`)]
  }
  if (rule.remoteAddresses) {
    if (rule.remoteAddresses.length === 0) return []
    return [`${far} { ${rule.remoteAddresses.map(networkOf).join(', ')} } ${words}`]
  }
  const prefix = rule.remoteIpPrefix === null ? null : networkOf(rule.remoteIpPrefix)
  if (prefix === null || prefix.endsWith('/0')) return [`meta nfproto ${family === 'ip' ? 'ipv4' : 'ipv6'} ${words}`]
  return [`${far} ${prefix} ${words}`]
}

function layer4(rule: SecurityRule): string {
  const protocol = protocolNumber(rule)
  if (protocol === null) return ''
  const { portRangeMin: min, portRangeMax: max } = rule
  if (protocol === 1 || protocol === 58) {
    const name = protocol === 1 ? 'icmp' : 'icmpv6'
    if (min === null) return `meta l4proto ${protocol} `
    return `${name} type ${min} ${max === null ? '' : `${name} code ${max} `}`
  }
  if (min === null || !withPorts.has(protocol)) return `meta l4proto ${protocol} `
  return `meta l4proto ${protocol} th dport ${min}-${max ?? min} `
}

/** `10.1.2.3/8` → `10.0.0.0/8`; a lone address becomes a range of one. @throws Error for what is no address */
export function networkOf(cidr: string): string {
  const [range, bits] = cidr.includes('/') ? ipaddr.parseCIDR(cidr) : hostRange(cidr)
  const kind = range.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6
  return `${kind.networkAddressFromCIDR(`${range}/${bits}`)}/${bits}`
}

function hostRange(address: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  const parsed = ipaddr.parse(address)
  return [parsed, parsed.kind() === 'ipv4' ? 32 : 128]
}

/** Whether an address lies in a range, or is it. */
export function inRange(address: string, cidr: string): boolean {
  const parsed = ipaddr.parse(address)
  const [range, bits] = cidr.includes('/') ? ipaddr.parseCIDR(cidr) : hostRange(cidr)
  return parsed.kind() === range.kind() && parsed.match(range, bits)
}

/** Whether a rule lets a flow pass: the same judgement as `nftRules`, on a flow that the kernel follows already. */
export function ruleAllows(
  rule: SecurityRule,
  direction: SecurityRule['direction'],
  flow: Flow,
  isMember: (groupId: string, address: string) => boolean,
): boolean {
  if (rule.direction !== direction) return false
  const remote = direction === 'ingress' ? flow.source : flow.destination
  if ((rule.ethertype === 'IPv6') !== remote.includes(':')) return false
  const protocol = protocolNumber(rule)
  if (protocol !== null && protocol !== flow.protocol) return false
  if (rule.remoteGroupId !== null && !isMember(rule.remoteGroupId, remote)) return false
  if (rule.remoteGroupId === null && rule.remoteIpPrefix !== null && !inRange(remote, rule.remoteIpPrefix)) return false
  if (rule.remoteAddresses && !rule.remoteAddresses.some((prefix) => inRange(remote, prefix))) return false
  const { portRangeMin: min, portRangeMax: max } = rule
  if (protocol === null || min === null) return true
  if (flow.icmp) return flow.icmp.type === min && (max === null || flow.icmp.code === max)
  if (!withPorts.has(protocol)) return true
  return flow.destinationPort !== null && flow.destinationPort >= min && flow.destinationPort <= (max ?? min)
}
