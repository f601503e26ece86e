import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { startEngine } from '../../../../test/support/engine.ts'
import {
  converse,
  defaultRules,
  rule,
  startTestNetworkHost,
  subnet,
  until,
} from '../../../../test/support/network-host.ts'

/** "Takes effect on running servers within a second", after the order's report. */
const withinMs = 1000

test('security groups', async (t) => {
  const cloud = await startTestNetworkHost(t, await startEngine(t))
  const range = subnet('10.0.0.0/24')
  const range6 = subnet('fd00:7::/64')
  const { networkId } = await cloud.network({ subnets: [range, range6] })
  const [inGroup, outside] = [randomUUID(), randomUUID()]
  const members = [5, 6].flatMap((n) => [
    { networkId, ipAddress: `10.0.0.${n}` },
    { networkId, ipAddress: `fd00:7::${n}` },
  ])
  const setRules = (rules = defaultRules(inGroup)) => cloud.group({ groupId: inGroup, rules, members })
  await setRules()
  await cloud.group({ groupId: outside, rules: defaultRules(outside), members: [{ networkId, ipAddress: '10.0.0.7' }] })
  const wanted = (n: number, groupId: string) => ({
    networkId,
    fixedIps: [
      { subnetId: range.subnetId, ipAddress: `10.0.0.${n}` },
      { subnetId: range6.subnetId, ipAddress: `fd00:7::${n}` },
    ],
    securityGroupIds: [groupId],
  })
  const ports = await Promise.all([5, 6, 7].map((n) => cloud.port(wanted(n, n === 7 ? outside : inGroup))))
  const [a, b, stranger] = (await Promise.all(ports.map(({ portId }) => cloud.server([{ portId, networkId }])))) as [
    Awaited<ReturnType<typeof cloud.server>>,
    Awaited<ReturnType<typeof cloud.server>>,
    Awaited<ReturnType<typeof cloud.server>>,
  ]

  await t.test('neighbours in the group reach each other, others do not reach in', async () => {
    assert.deepEqual(
      await Promise.all([
        a.reaches('10.0.0.6'),
        b.reaches('fd00:7::5'),
        stranger.reaches('10.0.0.5'),
        a.reaches('10.0.0.7'),
      ]),
      [true, true, false, false],
    )
    assert.equal(await stranger.reaches('fd00:7::5'), false)
  })

  await t.test('a rule added lets a stranger in, over IPv4 only as it says', async () => {
    await setRules([...defaultRules(inGroup), rule({ protocol: 'icmp', remoteIpPrefix: '10.0.0.7/32' })])
    assert.equal(await stranger.reaches('10.0.0.5'), true)
    assert.equal(await stranger.reaches('fd00:7::5'), false)
    await setRules()
    assert.equal(await stranger.reaches('10.0.0.5'), false)
  })

  await t.test('a rule removed ends the flows it let in, and only those', async (t) => {
    const tcp = (port: number) => rule({ protocol: 'tcp', portRangeMin: port, portRangeMax: port })
    await setRules([...defaultRules(inGroup), tcp(22001), tcp(22002)])
    const [kept, ended] = [
      await converse(t, stranger, a, '10.0.0.5', 22001),
      await converse(t, stranger, a, '10.0.0.5', 22002),
    ]
    assert.equal(await kept.echo('one', 3000), true)
    assert.equal(await ended.echo('one', 3000), true)
    const from = performance.now()
    await setRules([...defaultRules(inGroup), tcp(22001)])
    const took = performance.now() - from
    assert.ok(took < withinMs, `${took} ms`)
    assert.equal(await ended.echo('two', 1500), false)
    assert.equal(await kept.echo('two', 3000), true)
    await setRules()
  })

  await t.test('a member that leaves is out at once, established or not', async (t) => {
    const talk = await converse(t, a, b, '10.0.0.6', 22003)
    assert.equal(await talk.echo('one', 3000), true)
    await cloud.group({ groupId: inGroup, rules: defaultRules(inGroup), members: members.slice(2) })
    assert.equal(await talk.echo('two', 1500), false)
    assert.equal(await a.reaches('10.0.0.6'), false)
    await setRules()
    assert.equal(await a.reaches('10.0.0.6'), true)
  })

  await t.test('a port with its state down is cut off, both ways; up again it is not', async (t) => {
    const talk = await converse(t, a, b, '10.0.0.6', 22004)
    assert.equal(await talk.echo('one', 3000), true)
    await cloud.port({ ...wanted(6, inGroup), portId: ports[1]!.portId, adminStateUp: false })
    assert.equal(await talk.echo('two', 1000), false)
    assert.equal(await b.reaches('10.0.0.5'), false)
    await cloud.port({ ...wanted(6, inGroup), portId: ports[1]!.portId })
    assert.equal(await b.reaches('10.0.0.5'), true)
  })

  await t.test('a port speaks with its own addresses only', async () => {
    const spoof = async (address: string) => {
      await a.run(
        ['ip', 'address', 'add', `${address}/${address.includes(':') ? '64 nodad' : '24'}`, 'dev', 'eth0']
          .join(' ')
          .split(' '),
      )
      const target = address.includes(':') ? 'fd00:7::6' : '10.0.0.6'
      const { ok } = await a.run(['busybox', 'ping', '-c', '1', '-W', '1', '-I', address, target])
      await a.run(['ip', 'address', 'delete', `${address}/${address.includes(':') ? 64 : 24}`, 'dev', 'eth0'])
      return ok
    }
    const all = [...members, { networkId, ipAddress: '10.0.0.99' }, { networkId, ipAddress: 'fd00:7::99' }]
    await cloud.group({ groupId: inGroup, rules: defaultRules(inGroup), members: all })
    assert.equal(await spoof('10.0.0.99'), false)
    assert.equal(await spoof('fd00:7::99'), false)
    const pair = { ...wanted(5, inGroup), portId: ports[0]!.portId }
    await cloud.port({
      ...pair,
      allowedAddressPairs: ['10.0.0.99', 'fd00:7::99'].map((ipAddress) => ({ ipAddress, macAddress: '' })),
    })
    await until(() => spoof('10.0.0.99'))
    await until(() => spoof('fd00:7::99'))
    await cloud.port({
      ...pair,
      allowedAddressPairs: ['10.0.0.96/28', 'fd00:7::/64'].map((ipAddress) => ({ ipAddress, macAddress: '' })),
    })
    await until(() => spoof('10.0.0.99'))
    await until(() => spoof('fd00:7::99'))
    await cloud.port(pair)
    assert.equal(await spoof('10.0.0.99'), false)
  })

  await t.test('a port answers for its own addresses only, in ARP and in neighbour discovery', async () => {
    // The kernel answers for proxied addresses with its own source address, which only the target check catches.
    await a.run([
      ...['busybox', 'sysctl', '-qw', 'net.ipv4.conf.all.forwarding=1', 'net.ipv6.conf.all.forwarding=1'],
      'net.ipv6.conf.eth0.proxy_ndp=1',
    ])
    const addresses = ['10.0.0.98', 'fd00:7::98']
    for (const address of addresses) await a.run(['ip', 'neighbour', 'add', 'proxy', address, 'dev', 'eth0'])
    await a.run(['ip', 'route', 'add', '10.0.0.98/32', 'dev', 'lo']) // the kernel answers for what it would pass on
    const believed = async () => {
      await Promise.all(addresses.map((address) => b.reaches(address)))
      const found = await Promise.all(addresses.map((address) => b.run(['ip', 'neighbour', 'show', address])))
      return found.map(({ output }) => output.includes('lladdr'))
    }
    assert.deepEqual(await believed(), [false, false])
    const pairs = addresses.map((ipAddress) => ({ ipAddress, macAddress: '' }))
    await cloud.port({ ...wanted(5, inGroup), portId: ports[0]!.portId, allowedAddressPairs: pairs })
    await until(async () => (await believed()).every((yes) => yes))
    await cloud.port({ ...wanted(5, inGroup), portId: ports[0]!.portId })
    await a.run(['busybox', 'sysctl', '-qw', 'net.ipv4.conf.all.forwarding=0', 'net.ipv6.conf.all.forwarding=0'])
  })

  await t.test('a port is no DHCP server', async (t) => {
    const words =
      '--keep-in-foreground --port=0 --conf-file=/dev/null --leasefile-ro --interface=eth0 --bind-interfaces'
    const server = spawn('nsenter', [
      ...[`--net=/proc/${a.pid}/ns/net`, 'dnsmasq', ...words.split(' '), '--pid-file='],
      '--dhcp-range=10.0.0.100,10.0.0.110',
    ])
    t.after(() => void server.kill('SIGKILL'))
    await until(async () => (await a.run(['cat', '/proc/net/udp'])).output.includes(':0043 '))
    const lease = async () => (await b.run('busybox udhcpc -i eth0 -n -q -t 2 -T 1 -s /bin/true'.split(' '))).ok
    assert.equal(await lease(), false)
    const port = { ...wanted(5, inGroup), portId: ports[0]!.portId }
    await cloud.port({ ...port, portSecurity: false, securityGroupIds: [] })
    await until(lease)
    await cloud.port(port)
  })

  await t.test('another MAC address is not carried', async () => {
    const { output } = await a.run(['cat', '/sys/class/net/eth0/address'])
    await a.run(['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:99'])
    assert.equal(await a.reaches('10.0.0.6'), false)
    const own =
      /fa:16:3e\S+/.exec(output)?.[0] ?? `fa:16:3e:${ports[0]!.portId.slice(0, 6).replace(/(..)(..)(..)/, '$1:$2:$3')}`
    await a.run(['ip', 'link', 'set', 'eth0', 'address', own])
    assert.equal(await a.reaches('10.0.0.6'), true)
  })

  await t.test('without port security nothing is filtered', async () => {
    assert.equal(await stranger.reaches('10.0.0.6'), false)
    await cloud.port({ ...wanted(6, inGroup), portId: ports[1]!.portId, portSecurity: false, securityGroupIds: [] })
    assert.equal(await stranger.reaches('10.0.0.6'), true)
    await cloud.port({ ...wanted(6, inGroup), portId: ports[1]!.portId })
    assert.equal(await stranger.reaches('10.0.0.6'), false)
  })

  await t.test('a stateless group takes no answer for granted', async () => {
    const ping = (direction: 'ingress' | 'egress', portRangeMin: number) =>
      rule({ direction, protocol: 'icmp', portRangeMin, portRangeMax: 0 })
    const out = ping('egress', 8)
    await cloud.group({ groupId: outside, stateful: false, rules: [out] })
    await setRules([...defaultRules(inGroup), rule({ protocol: 'icmp' })])
    assert.equal(await stranger.reaches('10.0.0.5'), false)
    await cloud.group({ groupId: outside, stateful: false, rules: [out, ping('ingress', 0)] })
    assert.equal(await stranger.reaches('10.0.0.5'), true)
  })

  await t.test('a process that starts again takes over without cutting what flows', async (t) => {
    await setRules()
    const talk = await converse(t, a, b, '10.0.0.6', 22005)
    assert.equal(await talk.echo('one', 3000), true)
    await cloud.restart()
    assert.equal(await talk.echo('two', 3000), true)
    assert.equal(await stranger.reaches('10.0.0.6'), false)
  })

  await t.test('a port that goes takes its flows along', async (t) => {
    const talk = await converse(t, a, b, '10.0.0.6', 22006)
    assert.equal(await talk.echo('one', 3000), true)
    const { report } = await cloud.port({ ...wanted(6, inGroup), portId: ports[1]!.portId, wish: 'absent' })
    assert.equal(report.state, 'absent')
    assert.equal(await talk.echo('two', 1000), false)
  })
})
