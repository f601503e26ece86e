import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { rule } from '../../../../test/support/network-host.ts'
import { type Attempt, type ModelRule, predicted } from '../../../../test/support/packet-model.ts'
import { type Machine, startPacketNet } from '../../../../test/support/packet-net.ts'
import type { SecurityRule } from '../messages.ts'

/**
 * Packets decide: for each combination of what a rule can say, connections are tried both ways between the machine that
 * has the rules and three others: a neighbour in the remote group, one that is not, and one beyond a router.
 */

const inRange = 2000
const outOfRange = 3000
/** A connection that must not come about is given up after this; on an idle machine one takes a millisecond. */
const refusedAfterMs = 300
const patienceMs = 5000

const neighbour = { v4: '10.0.0.20', v6: 'fd00:7::20' }
const stranger = { v4: '10.0.0.30', v6: 'fd00:7::30' }
const beyond = { v4: '192.0.2.9', v6: '2001:db8:9::9' }

/** What may stand at the far end, as the rule's words and as the model's prefixes. */
const remotes = [
  { name: 'anybody' },
  { name: 'a neighbour', prefix: { v4: '10.0.0.20/32', v6: 'fd00:7::20/128' } },
  { name: 'the subnet', prefix: { v4: '10.0.0.7/24', v6: 'fd00:7::7/64' } },
  { name: 'far away', prefix: { v4: '192.0.2.0/24', v6: '2001:db8:9::/48' } },
  { name: 'a group', group: true },
  {
    name: 'an address group',
    addresses: { v4: ['10.0.0.30/32', '192.0.2.8/31'], v6: ['fd00:7::30/128', '2001:db8:9::8/125'] },
  },
] as const
const services = [
  { name: 'all', protocol: null, min: null, max: null },
  { name: 'tcp', protocol: 'tcp', min: null, max: null },
  { name: 'tcp 2000', protocol: 'tcp', min: inRange, max: inRange },
  { name: 'udp 1990-2010', protocol: 'udp', min: 1990, max: 2010 },
  { name: 'icmp', protocol: 'icmp', min: null, max: null },
  { name: 'icmp echo', protocol: 'icmp', min: { v4: 8, v6: 128 }, max: 0 },
  { name: 'icmp unreachable', protocol: 'icmp', min: { v4: 3, v6: 1 }, max: null },
] as const

type Remote = (typeof remotes)[number]
type Service = (typeof services)[number]

interface Config {
  name: string
  stateful: boolean
  rules: SecurityRule[]
  model: ModelRule[]
}

function ruleFor(direction: 'ingress' | 'egress', six: boolean, remote: Remote, service: Service, members: string) {
  const [family, ethertype] = six ? (['v6', 'IPv6'] as const) : (['v4', 'IPv4'] as const)
  const min = typeof service.min === 'object' && service.min !== null ? service.min[family] : service.min
  const words = rule({ direction, ethertype, protocol: service.protocol, portRangeMin: min, portRangeMax: service.max })
  const model: ModelRule = { direction, ethertype, protocol: service.protocol, min, max: service.max, remotes: null }
  if ('prefix' in remote) {
    return [
      { ...words, remoteIpPrefix: remote.prefix[family] },
      { ...model, remotes: [remote.prefix[family]] },
    ] as const
  }
  if ('addresses' in remote) {
    return [
      { ...words, remoteAddresses: remote.addresses[family] },
      { ...model, remotes: remote.addresses[family] },
    ] as const
  }
  if ('group' in remote) {
    const only = `${neighbour[family]}/${six ? 128 : 32}`
    return [
      { ...words, remoteGroupId: members },
      { ...model, remotes: [only] },
    ] as const
  }
  return [words, model] as const
}

/** Every remote with every service, in the one direction; in the other the same list from another place. */
function configs(members: string): Config[] {
  const all = remotes.flatMap((remote) => services.map((service) => ({ remote, service })))
  return [true, false].flatMap((stateful) =>
    all.map((inward, i) => {
      // So that answers are let back sometimes, and sometimes not.
      const outward = stateful ? all[(i * 5 + 3) % all.length]! : all[(i + (i % 3 === 0 ? 0 : i % 7)) % all.length]!
      const pairs = [false, true].flatMap((six) => [
        ruleFor('ingress', six, inward.remote, inward.service, members),
        ruleFor('egress', six, outward.remote, outward.service, members),
      ])
      const side = ({ remote, service }: typeof inward) => `${service.name} with ${remote.name}`
      return {
        name: `${stateful ? 'stateful' : 'stateless'}, in: ${side(inward)}, out: ${side(outward)}`,
        stateful,
        rules: pairs.map(([words]) => words),
        model: pairs.map(([, model]) => model),
      }
    }),
  )
}

test('packets pass as the rules say, and no others', async (t) => {
  const net = await startPacketNet(t, [inRange, outOfRange])
  const members = randomUUID()
  net.group({
    groupId: members,
    members: [neighbour.v4, neighbour.v6].map((ipAddress) => ({ networkId: net.networkId, ipAddress })),
  })
  const out = ['route add default via 10.0.0.1', 'route add default via fd00:7::1']
  const open = { portSecurity: false }
  const attach = async (n: number, wanted: object) =>
    await net.attach(wanted, [`10.0.0.${n}/24`, `fd00:7::${n}/64`], out)
  const far = await net.outside(
    ['10.0.0.1/24', 'fd00:7::1/64', '192.0.2.9/32', '2001:db8:9::9/128'],
    [
      'route replace 10.0.0.0/24 dev eth0 src 192.0.2.9',
      'route replace fd00:7::/64 dev eth0 src 2001:db8:9::9 metric 10',
    ],
  )
  const others: [{ v4: string; v6: string }, Machine][] = [
    [neighbour, (await attach(20, open)).machine],
    [stranger, (await attach(30, open)).machine],
    [beyond, far],
  ]
  const subjects = await Promise.all(
    [40, 41, 42, 43].map(async (n) => {
      const groupId = randomUUID()
      net.group({ groupId })
      return { n, groupId, ...(await attach(n, { securityGroupIds: [groupId] })) }
    }),
  )

  let cells = 0
  const wrong: string[] = []
  const queue = configs(members)
  for (let at = 0; at < queue.length; at += subjects.length) {
    const round = queue.slice(at, at + subjects.length)
    for (const [i, { rules, stateful }] of round.entries())
      net.group({ groupId: subjects[i]!.groupId, rules, stateful })
    await net.settle()
    const judge = async ({ name, model, stateful }: Config, subject: (typeof subjects)[number]) => {
      const attempts = others.flatMap(([address, other]) =>
        (['v4', 'v6'] as const).flatMap((family) =>
          (['ingress', 'egress'] as const).flatMap((direction) =>
            [
              { protocol: 'tcp', port: inRange },
              { protocol: 'tcp', port: outOfRange },
              { protocol: 'udp', port: inRange },
              { protocol: 'udp', port: outOfRange },
              { protocol: 'icmp', port: 0 },
            ].map((what) => ({ attempt: { ...what, direction, remote: address[family] } as Attempt, other, family })),
          ),
        ),
      )
      await Promise.all(
        attempts.map(async ({ attempt, other, family }) => {
          const expected = predicted(model, stateful, attempt)
          const { direction, protocol, port } = attempt
          const own = family === 'v4' ? `10.0.0.${subject.n}` : `fd00:7::${subject.n}`
          const [from, address] = direction === 'ingress' ? [other, own] : [subject.machine, attempt.remote]
          const probe = { protocol, port, address, patienceMs: expected ? patienceMs : refusedAfterMs }
          cells++
          if ((await from.try(probe)) === expected) return
          wrong.push(
            `${name}: ${direction} ${protocol} ${port} with ${attempt.remote} should ${expected ? '' : 'not '}pass`,
          )
        }),
      )
    }
    await Promise.all(round.map((config, i) => judge(config, subjects[i]!)))
  }
  assert.deepEqual(wrong, [])
  assert.ok(cells >= 200, `${cells} cells`)
  t.diagnostic(`${cells} cells, ${queue.length} sets of rules`)
})
