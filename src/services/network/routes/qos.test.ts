import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PortOrder, subjects } from '../messages.ts'
import { startNetwork } from '../test-support.ts'

test('QoS policies, their rules, and what the hosts of their ports are told', async (t) => {
  const cloud = await startNetwork(t)
  const [admin, alice] = [cloud.as('admin'), cloud.as('alice')]
  const told: PortOrder[] = []
  cloud.ground.bus.subscribe<PortOrder>(subjects.port('node1'), (order) => void told.push(order))
  cloud.addHost('node1')
  const make = async (values: object) =>
    (await admin.post('qos/policies', { policy: { project_id: 'alice', ...values } })).body.policy
  const policy = await make({ name: 'slow' })
  assert.equal((await alice.post('qos/policies', { policy: {} })).status, 403)
  const url = `qos/policies/${policy.id}`
  const limit = (values: object) => admin.post(`${url}/bandwidth_limit_rules`, { bandwidth_limit_rule: values })
  const egress = await limit({ max_kbps: 1000, max_burst_kbps: 100 })
  assert.equal(egress.body.bandwidth_limit_rule.direction, 'egress')
  assert.equal((await limit({ max_kbps: 5 })).body.NeutronError.type, 'QoSRulesConflict')
  assert.equal((await limit({ max_kbps: 2000, direction: 'ingress' })).status, 201)
  assert.equal((await limit({ max_kbps: -1 })).status, 400)
  const mark = (dscp_mark: number) => admin.post(`${url}/dscp_marking_rules`, { dscp_marking_rule: { dscp_mark } })
  assert.equal((await mark(27)).status, 400)
  assert.equal((await mark(26)).status, 201)
  assert.equal((await alice.get(url)).body.policy.rules.length, 3)

  const { id: network_id } = await alice.make('networks', { qos_policy_id: policy.id })
  const make2 = (values: object) =>
    admin.make('ports', { network_id, project_id: 'alice', 'binding:host_id': 'node1', ...values })
  const port = await make2({})
  assert.deepEqual([port.qos_policy_id, port.qos_network_policy_id], [null, policy.id])
  await cloud.settle()
  const wanted = {
    ingress: { kbps: 2000, burstKbits: 0 },
    egress: { kbps: 1000, burstKbits: 100 },
    dscpMark: 26,
  }
  assert.deepEqual(told.at(-1)?.qos, wanted)
  const rule = egress.body.bandwidth_limit_rule.id
  await admin.put(`${url}/bandwidth_limit_rules/${rule}`, { bandwidth_limit_rule: { max_kbps: 500 } })
  await cloud.settle()
  assert.equal(told.at(-1)?.qos?.egress?.kbps, 500)
  const alias = `qos/alias-bandwidth-limit-rules/${rule}`
  assert.equal((await alice.get(alias)).body.alias_bandwidth_limit_rule.max_kbps, 500)
  assert.equal((await alice.delete(alias)).status, 403)
  assert.equal((await admin.delete(alias)).status, 204)
  await cloud.settle()
  assert.equal(told.at(-1)?.qos?.egress, null)
  assert.equal((await admin.delete(url)).body.NeutronError.type, 'QosPolicyInUse')
  await alice.put(`networks/${network_id}`, { network: { qos_policy_id: null } })
  await cloud.settle()
  assert.equal(told.at(-1)?.qos, undefined)
  assert.equal((await admin.delete(url)).status, 204)
  const foreign = await admin.post('qos/policies', { policy: { project_id: 'bob' } })
  const refused = await alice.put(`ports/${port.id}`, { port: { qos_policy_id: foreign.body.policy.id } })
  assert.equal(refused.body.NeutronError.type, 'QosPolicyNotFound')
  const types = (await admin.get('qos/rule-types')).body.rule_types
  assert.deepEqual(types, [{ type: 'bandwidth_limit' }, { type: 'dscp_marking' }])
  assert.equal((await admin.get('qos/rule-types/dscp_marking')).body.rule_type.drivers.length, 1)
  const usual = await make({ name: 'usual', is_default: true })
  assert.equal((await alice.make('networks', {})).qos_policy_id, usual.id)
})

test('DHCP options, names, MAC addresses and bindings of a port', async (t) => {
  const cloud = await startNetwork(t)
  const [admin, alice] = [cloud.as('admin'), cloud.as('alice')]
  const told: PortOrder[] = []
  for (const host of ['node1', 'node2']) {
    cloud.ground.bus.subscribe<PortOrder>(subjects.port(host), (order) => void told.push(order))
    cloud.addHost(host)
  }
  const { id: network_id } = await alice.make('networks', { dns_domain: 'example.test.' })
  await alice.make('subnets', { network_id, ip_version: 4, cidr: '10.0.0.0/24' })
  const options = [
    { opt_name: 'bootfile-name', opt_value: 'pxelinux.0' },
    { opt_name: 'tftp-server', opt_value: '10.0.0.9', ip_version: '4' },
  ]
  const port = await alice.make('ports', {
    network_id,
    extra_dhcp_opts: options,
    dns_name: 'Web',
    fixed_ips: [{ ip_address: '10.0.0.5' }],
    tags: ['a', 'b'],
  })
  assert.deepEqual(port.dns_assignment, [{ ip_address: '10.0.0.5', hostname: 'web', fqdn: 'web.example.test.' }])
  assert.deepEqual(port.tags, ['a', 'b'])
  const url = `ports/${port.id}`
  const change = async (values: object) => (await alice.put(url, { port: values })).body.port
  const names = (of: { extra_dhcp_opts: { opt_name: string; opt_value: string }[] }) =>
    of.extra_dhcp_opts.map(({ opt_name, opt_value }) => `${opt_name}=${opt_value}`)
  const changed = await change({ extra_dhcp_opts: [{ opt_name: 'bootfile-name', opt_value: 'other.0' }] })
  assert.deepEqual(names(changed), ['tftp-server=10.0.0.9', 'bootfile-name=other.0'])
  const removed = await change({ extra_dhcp_opts: [{ opt_name: 'tftp-server', opt_value: null }] })
  assert.deepEqual(names(removed), ['bootfile-name=other.0'])
  assert.equal((await change({ dns_name: '' })).dns_assignment[0].fqdn, 'host-10-0-0-5.example.test.')
  for (const bad of [
    { dns_name: '-web' },
    { dns_name: 'a b' },
    { extra_dhcp_opts: [{ opt_name: 'x\ny', opt_value: '1' }] },
    { extra_dhcp_opts: [{ opt_name: 'x', opt_value: '1\n2' }] },
  ]) {
    assert.equal((await alice.put(url, { port: bad })).status, 400, JSON.stringify(bad))
  }
  const fresh = (await admin.put(url, { port: { mac_address: null } })).body.port.mac_address
  assert.notEqual(fresh, port.mac_address)

  const bind = (host: string) => admin.post(`${url}/bindings`, { binding: { host } })
  assert.equal((await bind('node1')).body.binding.status, 'ACTIVE')
  assert.equal((await bind('node1')).status, 409)
  assert.equal((await bind('node2')).body.binding.status, 'INACTIVE')
  assert.equal((await alice.get(`${url}/bindings`)).status, 403)
  await cloud.settle()
  assert.deepEqual(told.at(-1)?.extraDhcpOptions, [{ name: 'bootfile-name', value: 'other.0', ipVersion: 4 }])
  assert.equal((await admin.put(`${url}/bindings/node2/activate`, undefined)).body.status, 'ACTIVE')
  assert.equal((await admin.put(`${url}/bindings/node2/activate`, undefined)).status, 409)
  assert.equal((await admin.get(url)).body.port['binding:host_id'], 'node2')
  assert.equal((await admin.delete(`${url}/bindings/node1`)).status, 204)
  assert.equal((await admin.get(`${url}/bindings`)).body.bindings.length, 1)
  assert.equal((await admin.get(`${url}/bindings/node1`)).status, 404)
})
