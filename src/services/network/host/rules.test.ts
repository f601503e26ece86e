import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createNamespace, deleteNamespace } from '../../../machine/net/namespaces.ts'
import { applyNft, nftChanges } from '../../../machine/net/nft.ts'
import type { PortOrder, SecurityGroupOrder, SecurityRule } from '../messages.ts'
import { emptyTables, groupFragment, groupsFragment, linkLocalOf, memberFragment, portFragment } from './filters.ts'
import { inRange, networkOf, nftRules, ruleAllows } from './rules.ts'

const group = '11111111-1111-4111-8111-111111111111'
const rule = (wanted: Partial<SecurityRule>): SecurityRule => ({
  ...{ ruleId: 'r', direction: 'ingress', ethertype: 'IPv4', protocol: null, portRangeMin: null },
  ...{ portRangeMax: null, remoteIpPrefix: null, remoteGroupId: null },
  ...wanted,
})
type Packet = { protocol: number; port?: number; icmp?: [number, number]; from?: string }

/** A rule, what nft is told, and packets that it lets in and that it does not: both judges must agree with the table. */
const cases: { rule: Partial<SecurityRule>; nft: string[]; passes: Packet[]; refused: Packet[] }[] = [
  {
    rule: {},
    nft: ['meta nfproto ipv4 accept'],
    passes: [{ protocol: 47 }],
    refused: [{ protocol: 6, from: 'fd00::1' }],
  },
  {
    rule: { protocol: 'tcp', portRangeMin: 80, portRangeMax: 90, remoteIpPrefix: '10.1.2.3/8' },
    nft: ['ip saddr 10.0.0.0/8 meta l4proto 6 th dport 80-90 accept'],
    passes: [
      { protocol: 6, port: 80 },
      { protocol: 6, port: 90 },
    ],
    refused: [
      { protocol: 6, port: 91 },
      { protocol: 17, port: 80 },
      { protocol: 6, port: 80, from: '11.0.0.1' },
    ],
  },
  {
    rule: { protocol: '17', remoteIpPrefix: '0.0.0.0/0' },
    nft: ['meta nfproto ipv4 meta l4proto 17 accept'],
    passes: [{ protocol: 17, port: 53 }],
    refused: [{ protocol: 6, port: 53 }],
  },
  {
    rule: { protocol: 'icmp', portRangeMin: 3, portRangeMax: 1 },
    nft: ['meta nfproto ipv4 icmp type 3 icmp code 1 accept'],
    passes: [{ protocol: 1, icmp: [3, 1] }],
    refused: [
      { protocol: 1, icmp: [3, 0] },
      { protocol: 1, icmp: [8, 1] },
    ],
  },
  {
    rule: { ethertype: 'IPv6', protocol: 'icmp', portRangeMin: 128 },
    nft: ['meta nfproto ipv6 icmpv6 type 128 accept'],
    passes: [{ protocol: 58, icmp: [128, 0], from: 'fd00::1' }],
    refused: [
      { protocol: 1, icmp: [128, 0] },
      { protocol: 58, icmp: [129, 0], from: 'fd00::1' },
    ],
  },
  {
    rule: { remoteGroupId: group },
    nft: [`ip saddr @m4-${group} accept`, 'ip saddr 10.9.0.0/16 accept'],
    passes: [
      { protocol: 6, port: 1, from: '10.0.0.1' },
      { protocol: 6, port: 1, from: '10.9.7.7' },
    ],
    refused: [{ protocol: 6, port: 1, from: '10.0.0.2' }],
  },
  {
    rule: { ethertype: 'IPv6', remoteGroupId: group, protocol: 'vrrp' },
    nft: [`ip6 saddr @m6-${group} meta l4proto 112 accept`],
    passes: [],
    refused: [{ protocol: 112, from: 'fd00::9' }],
  },
]
const memberAddresses = ['10.0.0.1', '10.9.0.0/16']

for (const { rule: wanted, nft, passes, refused } of cases)
  test(`rule: ${nft[0]}`, () => {
    assert.deepEqual(
      nftRules(rule(wanted), () => ['10.9.3.0/16', 'fe80::/10'].slice(0, 1)),
      nft,
    )
    const judge = ({ protocol, port, icmp, from = '10.0.0.1' }: Packet) => {
      const [type = 0, code = 0] = icmp ?? []
      const flow = {
        ...{ protocol, source: from, destination: from.includes(':') ? 'fd00::2' : '10.0.0.9' },
        ...{ sourcePort: port === undefined ? null : 999, destinationPort: port ?? null },
        icmp: icmp ? { type, code, id: 1 } : null,
      }
      return ruleAllows(rule(wanted), 'ingress', flow, (_, address) => memberAddresses.some((m) => inRange(address, m)))
    }
    for (const packet of passes) assert.equal(judge(packet), true, JSON.stringify(packet))
    for (const packet of refused) assert.equal(judge(packet), false, JSON.stringify(packet))
  })

test('an unknown protocol is refused by name', () => {
  assert.throws(() => nftRules(rule({ protocol: 'smoke' }), () => []), /smoke/)
})

test('addresses', () => {
  assert.equal(networkOf('10.1.2.3/8'), '10.0.0.0/8')
  assert.equal(networkOf('fd00:0::5/64'), 'fd00::/64')
  assert.equal(networkOf('10.0.0.1'), '10.0.0.1/32')
  assert.equal(linkLocalOf('fa:16:3e:00:00:05'), 'fe80::f816:3eff:fe00:5')
})

test('nft takes every rule, member and port there is', async (t) => {
  const namespace = `berth-rules-${randomUUID().slice(0, 8)}`
  await createNamespace(namespace)
  t.after(() => deleteNamespace(namespace))
  const networkId = randomUUID()
  const ethertypes = ['IPv4', 'IPv6'] as const
  const names = [
    'tcp',
    'udp',
    'sctp',
    'dccp',
    'udplite',
    'icmp',
    'icmpv6',
    'gre',
    'esp',
    'vrrp',
    '0',
    '255',
    'any',
    null,
  ]
  const rules = ethertypes.flatMap((ethertype) =>
    names.flatMap((protocol) =>
      (['ingress', 'egress'] as const).flatMap((direction) => [
        rule({ direction, ethertype, protocol }),
        rule({ direction, ethertype, protocol, remoteGroupId: group }),
        rule({ direction, ethertype, protocol, portRangeMin: 1, portRangeMax: 1 }),
      ]),
    ),
  )
  const members = ['10.0.0.1', '10.0.0.0/9', 'fd00::1', 'fd00::/63', '10.0.0.1/32'].map((ipAddress) => ({
    networkId,
    ipAddress,
  }))
  const order: SecurityGroupOrder = { groupId: group, generation: 1, wish: 'present', stateful: true, rules, members }
  const pair = (ipAddress: string) => ({ ipAddress, macAddress: 'FA:16:3E:00:00:07' })
  const port: PortOrder = {
    ...{ portId: randomUUID(), generation: 1, networkId, wish: 'bound', adminStateUp: true, mtu: 1450 },
    ...{ macAddress: 'fa:16:3e:00:00:05', portSecurity: true, securityGroupIds: [group], defaultRoute: true },
    fixedIps: ['10.0.0.5', 'fd00::5'].map((ipAddress) => ({ subnetId: 's', ipAddress })),
    allowedAddressPairs: ['0.0.0.0/0', '10.0.0.0/8', '10.0.0.0/8', '10.0.0.9', '::/0', 'fd00::/64'].map(pair),
  }
  const groups = new Map([[group, order]])
  const after = new Map([
    ['m', memberFragment(group, networkId, order)],
    ['g', groupFragment(group, networkId, groups)],
    ['s', groupsFragment('k', [group, group], true)],
    ['p', portFragment(port, 1, 'k')],
  ])
  await applyNft(namespace, `${emptyTables}${nftChanges(new Map(), after).join('\n')}\n`)
  await applyNft(namespace, `${nftChanges(after, new Map()).join('\n')}\n`)
})
