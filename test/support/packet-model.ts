import { BlockList } from 'node:net'

/**
 * What security groups promise, written from the API reference alone and knowing nothing of how it is done: the packet
 * tests hold the kernel against it. Source: Networking API reference, "Security groups"; Networking guide, "Stateless
 * security groups".
 */

export interface ModelRule {
  direction: 'ingress' | 'egress'
  ethertype: 'IPv4' | 'IPv6'
  protocol: 'tcp' | 'udp' | 'icmp' | null
  /** Ports, or ICMP type and code. */
  min: number | null
  max: number | null
  /** Prefixes that the far end must be in; null is anybody. A remote group is the addresses of its members. */
  remotes: readonly string[] | null
}

/** One attempt, seen from the machine that has the rules. */
export interface Attempt {
  /** Who speaks first. */
  direction: 'ingress' | 'egress'
  protocol: 'tcp' | 'udp' | 'icmp'
  remote: string
  /** Where it goes to; of ICMP nothing. */
  port: number
}

interface Packet {
  direction: 'ingress' | 'egress'
  protocol: 'tcp' | 'udp' | 'icmp'
  remote: string
  destinationPort: number
  icmpType: number
}

/** Any port that a machine takes for its own end: none of the tests' rules names one as high. */
const ephemeral = 50_000

/** Whether an answer comes back. */
export function predicted(rules: readonly ModelRule[], stateful: boolean, attempt: Attempt): boolean {
  const six = attempt.remote.includes(':')
  const { direction, protocol, remote, port } = attempt
  const call: Packet = { direction, protocol, remote, destinationPort: port, icmpType: six ? 128 : 8 }
  const back = direction === 'ingress' ? 'egress' : 'ingress'
  const answer: Packet = { direction: back, protocol, remote, destinationPort: ephemeral, icmpType: six ? 129 : 0 }
  const passes = (packet: Packet) => rules.some((rule) => matches(rule, packet))
  return passes(call) && (stateful || passes(answer))
}

function matches(rule: ModelRule, packet: Packet): boolean {
  const family = packet.remote.includes(':') ? 'IPv6' : 'IPv4'
  if (rule.direction !== packet.direction || rule.ethertype !== family) return false
  if (rule.remotes !== null && !within(rule.remotes, packet.remote)) return false
  if (rule.protocol === null) return true
  if (rule.protocol !== packet.protocol) return false
  if (rule.min === null) return true
  if (rule.protocol === 'icmp') return packet.icmpType === rule.min && (rule.max === null || rule.max === 0)
  return packet.destinationPort >= rule.min && packet.destinationPort <= (rule.max ?? rule.min)
}

function within(prefixes: readonly string[], address: string): boolean {
  const list = new BlockList()
  for (const prefix of prefixes) {
    const [net = '', bits = ''] = prefix.split('/')
    list.addSubnet(net, Number(bits), net.includes(':') ? 'ipv6' : 'ipv4')
  }
  return list.check(address, address.includes(':') ? 'ipv6' : 'ipv4')
}
