import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startNetwork } from '../test-support.ts'

test('a project has a default group that admits its own members, and cannot lose it', async (t) => {
  const { as } = await startNetwork(t)
  const { security_groups: groups } = (await as('alice').get('security-groups')).body
  assert.equal(groups.length, 1)
  const [group] = groups
  const rules = group.security_group_rules.map((rule: Record<string, unknown>) => [
    ...[rule.direction, rule.ethertype, rule.remote_group_id === group.id],
  ])
  assert.equal(rules.length, 4)
  for (const type of ['IPv4', 'IPv6']) {
    assert.ok(rules.some(([d, e, own]: unknown[]) => d === 'egress' && e === type && !own))
    assert.ok(rules.some(([d, e, own]: unknown[]) => d === 'ingress' && e === type && own))
  }
  assert.equal((await as('alice').delete(`security-groups/${group.id}`)).status, 409)
  assert.equal((await as('alice').post('security-groups', { security_group: { name: 'default' } })).status, 409)
  const renamed = await as('alice').put(`security-groups/${group.id}`, { security_group: { name: 'x' } })
  assert.equal(renamed.body.NeutronError.type, 'SecurityGroupCannotUpdateDefault')
  assert.equal((await as('bob').get(`security-groups/${group.id}`)).status, 404)
})

test('a group is made, changed, used and deleted with its rules', async (t) => {
  const { as } = await startNetwork(t)
  const alice = as('alice')
  const group = await alice.make('security-groups', { name: 'web', description: 'd' })
  assert.equal(group.security_group_rules.length, 2)
  assert.equal(group.stateful, true)
  const url = `security-groups/${group.id}`
  const changed = (await alice.put(url, { security_group: { name: 'www', description: '' } })).body.security_group
  assert.deepEqual([changed.name, changed.description], ['www', ''])
  assert.equal((await alice.put(url, { security_group: { name: 'default' } })).status, 409)
  const rule = await alice.make('security-group-rules', { security_group_id: group.id, direction: 'ingress' })
  const { id: network_id } = await alice.make('networks', { name: 'n' })
  const port = await alice.make('ports', { network_id, security_groups: [group.id] })
  assert.equal((await alice.delete(url)).body.NeutronError.type, 'SecurityGroupInUse')
  await alice.delete(`ports/${port.id}`)
  assert.equal((await alice.delete(url)).status, 204)
  assert.equal((await alice.get(`security-group-rules/${rule.id}`)).status, 404)
})

test('a rule that an administrator writes into a group is the owner’s', async (t) => {
  const { as } = await startNetwork(t)
  const group = await as('alice').make('security-groups', { name: 'g' })
  const rule = { security_group_id: group.id, direction: 'ingress', protocol: 'tcp' }
  const { id } = await as('admin').make('security-group-rules', rule)
  const rules: { id: string }[] = (await as('alice').get('security-group-rules')).body.security_group_rules
  assert.ok(rules.some((one) => one.id === id))
  assert.equal((await as('alice').delete(`security-group-rules/${id}`)).status, 204)
})

test('rules: what is understood, and what is refused', async (t) => {
  const { as } = await startNetwork(t)
  const alice = as('alice')
  const { id } = await alice.make('security-groups', { name: 'g' })
  const rule = (values: object) => ({ security_group_rule: { security_group_id: id, direction: 'ingress', ...values } })
  const good: [object, object][] = [
    [
      { protocol: 'tcp', port_range_min: 77, port_range_max: 77 },
      { protocol: 'tcp', ethertype: 'IPv4' },
    ],
    [{ protocol: 17 }, { protocol: '17' }],
    [{ protocol: 'icmp', port_range_min: 3, port_range_max: 0 }, { port_range_max: 0 }],
    [{ protocol: 'icmp', port_range_min: 11 }, { port_range_max: null }],
    [{ protocol: 'ipv6-icmp', ethertype: 'ipv6' }, { ethertype: 'IPv6' }],
    [{ remote_ip_prefix: '10.0.0.7/24' }, { remote_ip_prefix: '10.0.0.7/24', normalized_cidr: '10.0.0.0/24' }],
    [{ remote_group_id: id, protocol: 'any' }, { protocol: null }],
  ]
  for (const [values, expected] of good) {
    const made = await alice.post('security-group-rules', rule(values))
    assert.equal(made.status, 201, JSON.stringify(made.body))
    for (const [name, value] of Object.entries(expected)) assert.equal(made.body.security_group_rule[name], value)
  }
  const tcp = (min: unknown, max: unknown) => ({ protocol: 'tcp', port_range_min: min, port_range_max: max })
  const icmp = (min: unknown, max: unknown) => ({ protocol: 'icmp', port_range_min: min, port_range_max: max })
  const bad: [object, number, RegExp][] = [
    [{ protocol: 'bad_protocol_name' }, 400, /protocol bad_protocol_name not supported/],
    [{ protocol: 256 }, 400, /not supported/],
    [{ ethertype: 'bad' }, 400, /'bad' is not in/],
    [{ direction: 'sideways' }, 400, /'sideways' is not in/],
    [{ remote_ip_prefix: 'bad_prefix' }, 400, /Invalid CIDR bad_prefix given as IP prefix/],
    [{ remote_ip_prefix: '10.0.0.0/24', ethertype: 'IPv6' }, 400, /Conflicting value ethertype IPv6 for CIDR/],
    [{ remote_ip_prefix: '10.0.0.0/24', remote_group_id: id }, 400, /Only remote_ip_prefix or remote_group_id/],
    [{ remote_group_id: 'bad_group_id' }, 404, /does not exist/],
    [{ security_group_id: '7b26bb69-d56e-4b3a-9d8e-4d9b6c1a2a3b' }, 404, /does not exist/],
    [tcp(-16, 80), 400, /Invalid value for port -16/],
    [tcp(80, 79), 400, /port_range_min must be <= port_range_max/],
    [tcp(80, 65_536), 400, /Invalid value for port 65536/],
    [tcp(null, 6), 400, /port_range_min must be <= port_range_max/],
    [tcp(-16, 65_536), 400, /Invalid value for port/],
    [icmp(1, 256), 400, /Invalid value for ICMP code/],
    [icmp(null, 6), 400, /ICMP type \(port-range-min\) is missing/],
    [icmp(300, 1), 400, /Invalid value for ICMP type/],
    [{ port_range_min: 1, port_range_max: 2 }, 400, /Must also specify protocol/],
    [{ protocol: 'esp', port_range_min: 1, port_range_max: 2 }, 400, /Invalid protocol esp for port range/],
    [tcp(77, 77), 409, /Security group rule already exists/],
    [{ protocol: 6, port_range_min: 77, port_range_max: 77 }, 409, /already exists/],
  ]
  for (const [values, status, text] of bad) {
    const refused = await alice.post('security-group-rules', rule(values))
    assert.equal(refused.status, status, JSON.stringify([values, refused.body]))
    assert.match(refused.body.NeutronError.message, text)
  }
  const elsewhere = await as('bob').post('security-group-rules', rule({}))
  assert.equal(elsewhere.status, 404)
  const [first] = (await alice.get(`security-group-rules?security_group_id=${id}&protocol=tcp`)).body
    .security_group_rules
  assert.equal((await as('bob').delete(`security-group-rules/${first.id}`)).status, 404)
  assert.equal((await alice.delete(`security-group-rules/${first.id}`)).status, 204)
})
