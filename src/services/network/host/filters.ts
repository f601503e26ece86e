import { createHash } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import type { Fragment } from '../../../machine/net/nft.ts'
import type { PortOrder, SecurityGroupOrder } from '../messages.ts'
import { metadataAddress, tapOf, uplink } from './names.ts'
import { memberSet, networkOf, nftRules } from './rules.ts'
import { burstBytes } from './shaping.ts'

/**
 * The tables of a network's namespace before it has any port. A frame from a port is first held against the port's own
 * addresses (bridge family), then against its egress rules, and on its way out to another port against that one's
 * ingress rules. Rules need connection tracking, which the bridge family lacks on many kernels: so the bridge family
 * writes the port's number into the mark, and the IP families, which br_netfilter calls in between (-200 for conntrack
 * in prerouting, then -150; -200 and 0 in forward), look it up. Every lookup is by hash, however many ports there are.
 * The metadata address is each host's own: what is sent there goes to the bridge itself (`tometadata`), and no other host
 * hears of it; so are DHCP and, on an external network, the machine itself, which is its gateway on each host.
 * Source: Netfilter hook priorities of nft(8); RFC 5227 §1.1 (ARP probes), RFC 4861, RFC 3315 §15.
 */
export const emptyTables = `
add table inet berth
delete table inet berth
add table bridge berth
delete table bridge berth
table inet berth {
  map egress { type mark : verdict; }
  map ingress { type mark : verdict; }
  chain before {
    type filter hook prerouting priority -150; policy accept;
    meta mark vmap @egress
    meta mark != 0 drop
  }
  chain between {
    type filter hook forward priority 0; policy accept;
    meta mark vmap @ingress
    meta mark != 0 drop
  }
}
table bridge berth {
  map marks { type ifname : mark; }
  map shaped { type ifname : verdict; }
  set open { type ifname; }
  set macs { type ifname . ether_addr; }
  set own4 { type ifname . ether_addr . ipv4_addr; }
  set own6 { type ifname . ether_addr . ipv6_addr; }
  set range4 { type ifname . ether_addr . ipv4_addr; flags interval; }
  set range6 { type ifname . ether_addr . ipv6_addr; flags interval; }
  set target6 { typeof iifname . @th,64,128; }
  set ranged { type ifname; }
  chain before {
    type filter hook prerouting priority -300; policy accept;
    iifname vmap @shaped
    iifname "tap*" goto fromport
  }
  chain between {
    type filter hook forward priority -200; policy accept;
    meta mark set 0
    oifname "tap*" goto toport
  }
  chain tometadata { }
  chain arriving {
    type filter hook prerouting priority -250; policy accept;
    iifname "vx*" ip daddr ${metadataAddress} drop
    iifname "vx*" arp daddr ip ${metadataAddress} drop
    iifname "vx*" arp saddr ip ${metadataAddress} drop
    iifname "tap*" ip daddr ${metadataAddress} tcp dport 80 goto tometadata
  }
  chain beyond {
    type filter hook forward priority -250; policy accept;
    oifname "vx*" arp daddr ip ${metadataAddress} drop
    oifname "vx*" udp sport 68 udp dport 67 drop
    iifname "${uplink}" oifname "vx*" drop
    iifname "vx*" oifname "${uplink}" drop
  }
  chain own {
    type filter hook output priority -250; policy accept;
    oifname "vx*" arp saddr ip ${metadataAddress} drop
  }
  chain fromport {
    meta mark set 0
    meta mark set iifname map @marks
    meta mark 0 drop
    iifname @open meta mark set 0 accept
    iifname . ether saddr != @macs drop
    ether type arp goto fromport-arp
    ether type ip goto fromport-ip
    ether type ip6 goto fromport-ip6
    drop
  }
  chain fromport-arp {
    iifname . arp saddr ether . arp saddr ip @own4 accept
    iifname . arp saddr ether . arp saddr ip @range4 accept
    iifname . arp saddr ether @macs arp operation request arp saddr ip 0.0.0.0 accept
    drop
  }
  chain fromport-ip {
    udp sport 67 udp dport 68 drop
    iifname . ether saddr . ip saddr @own4 accept
    iifname . ether saddr . ip saddr @range4 accept
    ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
    drop
  }
  chain fromport-ip6 {
    icmpv6 type { 134, 137 } drop
    udp sport 547 udp dport 546 drop
    icmpv6 type 136 iifname != @ranged iifname . @th,64,128 != @target6 drop
    iifname . ether saddr . ip6 saddr @own6 accept
    iifname . ether saddr . ip6 saddr @range6 accept
    ip6 saddr :: icmpv6 type { 131, 132, 133, 135, 143 } accept
    drop
  }
  chain toport {
    meta mark set oifname map @marks
    meta mark 0 drop
    oifname @open meta mark set 0 accept
    ether type { arp, ip, ip6 } accept
    drop
  }
}
`

/** The neighbour that takes what is sent to the metadata service. */
export const redirectFragment = (macAddress: string | null): Fragment => ({
  chains: {
    'bridge berth tometadata': macAddress === null ? [] : [`ether daddr set ${macAddress} meta pkttype set host`],
  },
})

/** Ports in the same groups share their chains: what a port adds to the rule set is elements only, which cost little. */
export function groupsKey({ securityGroupIds }: PortOrder, stateful: boolean): string {
  const ids = [...new Set(securityGroupIds)].sort().join()
  return createHash('sha256').update(`${ids} ${stateful}`).digest('hex').slice(0, 32)
}

/** What is asked of a packet to (`si-`) or from (`se-`) a port in these groups. */
export function groupsFragment(key: string, groupIds: readonly string[], stateful: boolean): Fragment {
  const ids = [...new Set(groupIds)].sort()
  const known = stateful ? ['ct state established,related accept'] : []
  const invalid = stateful ? ['ct state invalid drop'] : []
  return {
    chains: {
      // Router advertisements pass only because no port may send them: they come from routers.
      [`inet berth si-${key}`]: [
        ...known,
        'icmpv6 type { 130-136, 143 } accept',
        ...['udp sport 67 udp dport 68 accept', 'udp sport 547 udp dport 546 accept'],
        ...invalid,
        ...ids.map((id) => `jump gi-${id}`),
        'drop',
      ],
      [`inet berth se-${key}`]: [
        ...known,
        'icmpv6 type { 130-133, 135, 136, 143 } accept',
        ...['udp sport 68 udp dport 67 accept', 'udp sport 546 udp dport 547 accept'],
        ...invalid,
        ...ids.map((id) => `jump ge-${id}`),
        'drop',
      ],
    },
  }
}

/** What of a port's order is in the kernel. `mark` is the port's number in its network, `key` that of its groups. */
export function portFragment(port: PortOrder, mark: number, key: string): Fragment {
  const tap = `"${tapOf(port.portId)}"`
  if (!port.adminStateUp) return {}
  const shape = shapeFragment(port, tap)
  const marks = { 'bridge berth marks': [`${tap} : ${mark}`] }
  if (!port.portSecurity) {
    return { ...shape, elements: { ...marks, ...shape.elements, 'bridge berth open': [tap] } }
  }
  return {
    ...shape,
    elements: {
      ...marks,
      ...shape.elements,
      'inet berth ingress': [`${mark} : goto si-${key}`],
      'inet berth egress': [`${mark} : goto se-${key}`],
      ...ownAddresses(port, tap),
    },
  }
}

/**
 * What is done to all that a port sends: its class is written into it, and what exceeds its rate is dropped. (What is
 * sent to it can wait for its turn: `shaping.ts`.) The kernel's bucket holds a second's worth besides the burst.
 */
function shapeFragment({ portId, qos }: PortOrder, tap: string): Fragment {
  const { egress, dscpMark } = qos ?? { egress: null, dscpMark: null }
  const rules = [
    ...(egress && egress.kbps > 0
      ? [`limit rate over ${Math.ceil(egress.kbps * 125)} bytes/second burst ${burstBytes(egress)} bytes drop`]
      : []),
    ...(dscpMark === null ? [] : [`ether type ip ip dscp set ${dscpMark}`, `ether type ip6 ip6 dscp set ${dscpMark}`]),
  ]
  if (rules.length === 0) return {}
  const chain = `q-${tapOf(portId)}`
  return {
    chains: { [`bridge berth ${chain}`]: rules },
    elements: { 'bridge berth shaped': [`${tap} : jump ${chain}`] },
  }
}

/** Which source addresses a port may use: its own, and those of its allowed address pairs. */
function ownAddresses(port: PortOrder, tap: string): Record<string, string[]> {
  const sets = ['macs', 'own4', 'own6', 'range4', 'range6', 'target6', 'ranged'] as const
  const found = Object.fromEntries(sets.map((name) => [name, new Set<string>()])) as Record<
    (typeof sets)[number],
    Set<string>
  >
  const ranges: { mac: string; cidr: string }[] = []
  const allow = (macAddress: string, cidr: string | null) => {
    const mac = macAddress.toLowerCase()
    found.macs.add(`${tap} . ${mac}`)
    const linkLocal = linkLocalOf(mac)
    for (const text of [linkLocal, ...(cidr === null ? [] : [cidr])]) {
      const [address = '', bits] = networkOf(text).split('/')
      const version = address.includes(':') ? 6 : 4
      if (bits !== (version === 4 ? '32' : '128')) {
        ranges.push({ mac, cidr: `${address}/${bits}` })
        continue
      }
      found[`own${version}`].add(`${tap} . ${mac} . ${address}`)
      if (version === 6) found.target6.add(`${tap} . ${hexOf(address)}`)
    }
  }
  for (const { ipAddress } of port.fixedIps) allow(port.macAddress, ipAddress)
  if (port.fixedIps.length === 0) allow(port.macAddress, null)
  for (const pair of port.allowedAddressPairs) allow(pair.macAddress || port.macAddress, pair.ipAddress)
  for (const { mac, cidr } of outermost(ranges)) {
    found[cidr.includes(':') ? 'range6' : 'range4'].add(`${tap} . ${mac} . ${cidr}`)
    found.ranged.add(tap)
  }
  return Object.fromEntries(sets.map((name) => [`bridge berth ${name}`, [...found[name]]]))
}

/** Interval sets refuse ranges that overlap: only those within no other are kept. */
const outermost = (ranges: readonly { mac: string; cidr: string }[]) =>
  ranges.filter(({ mac, cidr }, i) => {
    const [address, bits] = ipaddr.parseCIDR(cidr)
    return !ranges.some((other, j) => {
      const [base, otherBits] = ipaddr.parseCIDR(other.cidr)
      if (i === j || other.mac !== mac || base.kind() !== address.kind() || !address.match(base, otherBits))
        return false
      return otherBits < bits || j < i
    })
  })

/** The address that a machine gives itself. Source: RFC 4291 §2.5.1 (modified EUI-64). */
export function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((byte) => Number.parseInt(byte, 16))
  return new ipaddr.IPv6([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]).toString()
}

const hexOf = (address: string): string =>
  `0x${ipaddr.IPv6.parse(address)
    .toByteArray()
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')}`

const isRange = (address: string): boolean => address.includes('/') && !/\/(32|128)$/.test(address)
const bare = (address: string): string => address.split('/')[0] ?? address

/** The addresses of a group's ports in this network, for the rules that name the group. */
export function memberFragment(groupId: string, networkId: string, group: SecurityGroupOrder | undefined): Fragment {
  const here = (group?.members ?? []).filter((member) => member.networkId === networkId && !isRange(member.ipAddress))
  const addresses = [...new Set(here.map(({ ipAddress }) => bare(ipAddress)))]
  const [four, six] = [memberSet(groupId, 'IPv4'), memberSet(groupId, 'IPv6')]
  return {
    sets: { [four]: 'set { type ipv4_addr; }', [six]: 'set { type ipv6_addr; }' },
    elements: {
      [four]: addresses.filter((address) => !address.includes(':')),
      [six]: addresses.filter((address) => address.includes(':')),
    },
  }
}

/** A group's rules, which every port in it jumps to. Without an order yet, nothing is let through. */
export function groupFragment(
  groupId: string,
  networkId: string,
  groups: ReadonlyMap<string, SecurityGroupOrder>,
): Fragment {
  const ranges = (remote: string) => rangesOf(groups.get(remote), networkId)
  const rules = groups.get(groupId)?.rules ?? []
  const of = (direction: 'ingress' | 'egress') => [
    ...new Set(rules.filter((rule) => rule.direction === direction).flatMap((rule) => nftRules(rule, ranges))),
  ]
  return { chains: { [`inet berth gi-${groupId}`]: of('ingress'), [`inet berth ge-${groupId}`]: of('egress') } }
}

const rangesOf = (group: SecurityGroupOrder | undefined, networkId: string): string[] =>
  (group?.members ?? []).flatMap((m) => (m.networkId === networkId && isRange(m.ipAddress) ? [m.ipAddress] : []))
