import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalIp, eui64, formatCidr, formatIp, hostRange, overlap, parseCidr, parseIp } from './addresses.ts'
import { defaultGateway, defaultPools } from './pools.ts'

test('addresses have one canonical text, and what is none is refused', () => {
  const cases: [string, string | null][] = [
    ['10.0.0.1', '10.0.0.1'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['::', '::'],
    ['010.0.0.1', null],
    ['10.1', null],
    ['0x0a000001', null],
    ['256.0.0.1', null],
    ['fe80::1%eth0', null],
    ['10.0.0.1/24', null],
    ['', null],
  ]
  for (const [text, expected] of cases) assert.equal(canonicalIp(text), expected, text)
  assert.equal(formatIp(6, parseIp('fd00::ffff:1')!.value), 'fd00::ffff:1')
})

test('prefixes: their ends, their hosts, what they share', () => {
  const cases: [string, string | null, string?, string?][] = [
    ['10.0.0.7/24', '10.0.0.0/24', '10.0.0.1', '10.0.0.254'],
    ['10.0.0.4/31', '10.0.0.4/31', '10.0.0.4', '10.0.0.5'],
    ['10.0.0.4', '10.0.0.4/32', '10.0.0.4', '10.0.0.4'],
    ['fd00::/64', 'fd00::/64', 'fd00::1', 'fd00::ffff:ffff:ffff:ffff'],
    ['10.0.0.0/33', null],
    ['10.0.0.0/', null],
    ['10.0.0.0/24/1', null],
    ['nonsense', null],
  ]
  for (const [text, canonical, first, last] of cases) {
    const cidr = parseCidr(text)
    assert.equal(cidr && formatCidr(cidr), canonical, text)
    if (!cidr) continue
    const range = hostRange(cidr)
    assert.deepEqual([formatIp(cidr.version, range.first), formatIp(cidr.version, range.last)], [first, last])
  }
  const [a, b, c] = ['10.0.0.0/24', '10.0.0.128/25', '10.0.1.0/24'].map((text) => parseCidr(text)!)
  assert.ok(overlap(a!, b!))
  assert.ok(!overlap(b!, c!))
})

test('gateways and pools that nobody named', () => {
  const pools = (text: string, gateway: string | null) =>
    defaultPools(parseCidr(text)!, gateway).map(({ start, end }) => `${start}-${end}`)
  assert.equal(defaultGateway(parseCidr('10.0.0.0/24')!), '10.0.0.1')
  assert.equal(defaultGateway(parseCidr('10.0.0.9/32')!), null)
  assert.deepEqual(pools('10.0.0.0/24', '10.0.0.1'), ['10.0.0.2-10.0.0.254'])
  assert.deepEqual(pools('10.0.0.0/24', '10.0.0.9'), ['10.0.0.1-10.0.0.8', '10.0.0.10-10.0.0.254'])
  assert.deepEqual(pools('10.0.0.0/24', '10.9.0.1'), ['10.0.0.1-10.0.0.254'])
  assert.deepEqual(pools('10.0.0.0/24', null), ['10.0.0.1-10.0.0.254'])
  assert.equal(eui64(parseCidr('2001:db8::/64')!, 'fa:16:3e:00:00:02'), '2001:db8::f816:3eff:fe00:2')
})
