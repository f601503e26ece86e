import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Api, logIn, until } from '../support/api.ts'
import { type Berth, newBerth } from '../support/berth.ts'

/** Two projects with the same addresses on one host, and security groups, decided by packets between real servers. */
describe('tenant networks', { concurrency: 1 }, () => {
  let berth: Berth
  let admin: Api
  let demo: Api

  before(async () => {
    berth = await newBerth(20_200, { BERTH_DEMO: 'false' })
    await berth.up()
    admin = await logIn(await berth.openrc('admin'))
    demo = await logIn(await berth.openrc('demo'))
  })
  after(async () => {
    await berth?.destroy()
  })

  /** The private network of a project: both are 10.0.0.0/24. */
  async function network(api: Api): Promise<string> {
    const path = `/networks?project_id=${api.projectId}&router:external=false`
    const { networks } = await api.get<{ networks: { id: string }[] }>('network', path)
    return networks[0]?.id ?? ''
  }

  async function boot(api: Api, name: string, address: string | null, more: object = {}): Promise<string> {
    const { images } = await api.get<{ images: { id: string }[] }>('image', '/images?name=busybox')
    const nic = { uuid: await network(api), ...(address ? { fixed_ip: address } : {}) }
    const server = { name, imageRef: images[0]?.id, flavorRef: '1', networks: [nic], ...more }
    const made = await api.call<{ server: { id: string } }>('POST', 'compute', '/servers', { server })
    assert.equal(made.status, 202, JSON.stringify(made.body))
    const { id } = made.body.server
    await until(`${name} ACTIVE`, 30_000, async () => {
      const shown = await api.get<{ server: { status: string; fault?: object } }>('compute', `/servers/${id}`)
      assert.notEqual(shown.server.status, 'ERROR', JSON.stringify(shown.server.fault))
      return shown.server.status === 'ACTIVE'
    })
    return id
  }
  const inside = (id: string, ...command: string[]) => berth.docker('exec', `nova-${id}`, ...command)
  const pings = async (id: string, address: string) =>
    inside(id, 'ping', '-c', '1', '-W', '1', address).then(
      () => true,
      () => false,
    )
  /**
   * What the web server at an address says of itself; null when it cannot be reached. By nc: the wget of a static
   * busybox looks names up through libraries that the image does not have.
   */
  const asks = async (id: string, address: string) =>
    inside(id, 'sh', '-c', `printf 'GET /name HTTP/1.0\\r\\n\\r\\n' | nc -w 1 ${address} 8080 | tail -1`).then(
      (text) => text.trim() || null,
      () => null,
    )
  const serve = (id: string, name: string) =>
    inside(id, 'sh', '-c', `echo ${name} > /tmp/name && busybox httpd -p 8080 -h /tmp`)

  test('two projects with 10.0.0.0/24: each server reaches its own neighbour, never the other project’s', async () => {
    const hosts: Record<string, string> = {}
    for (const [who, api] of [
      ['admin', admin],
      ['demo', demo],
    ] as const) {
      hosts[`${who}-a`] = await boot(api, `${who}-a`, '10.0.0.50')
      hosts[`${who}-b`] = await boot(api, `${who}-b`, '10.0.0.51')
      await serve(hosts[`${who}-b`] ?? '', `${who}-b`)
    }
    assert.equal(await asks(hosts['admin-a'] ?? '', '10.0.0.51'), 'admin-b')
    assert.equal(await asks(hosts['demo-a'] ?? '', '10.0.0.51'), 'demo-b')
    // An address that only one of them has is reached from its own network alone.
    const lone = await boot(demo, 'demo-c', '10.0.0.60')
    assert.equal(await pings(hosts['demo-a'] ?? '', '10.0.0.60'), true)
    assert.equal(await pings(hosts['admin-a'] ?? '', '10.0.0.60'), false)
    await demo.call('DELETE', 'compute', `/servers/${lone}`)
  })

  test('the default group lets neighbours in and others not; a rule counts within a second, both ways', async () => {
    const inGroup = await boot(demo, 'in', null)
    const other = await demo.call<{ security_group: { id: string } }>('POST', 'network', '/security-groups', {
      security_group: { name: 'other' },
    })
    const outside = await boot(demo, 'out', null, { security_groups: [{ name: 'other' }] })
    const web = await boot(demo, 'web', '10.0.0.70')
    await serve(web, 'web')
    assert.equal(await asks(inGroup, '10.0.0.70'), 'web')
    assert.equal(await asks(outside, '10.0.0.70'), null)

    const { security_groups } = await demo.get<{ security_groups: { id: string }[] }>(
      'network',
      `/security-groups?name=default&project_id=${demo.projectId}`,
    )
    const rule = {
      security_group_id: security_groups[0]?.id,
      direction: 'ingress',
      protocol: 'tcp',
      port_range_min: 8080,
      port_range_max: 8080,
      remote_group_id: other.body.security_group.id,
    }
    const made = await demo.call<{ security_group_rule: { id: string } }>('POST', 'network', '/security-group-rules', {
      security_group_rule: rule,
    })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    // The probe itself may take a second when it is refused, so the bound is on the probes that still fail.
    assert.equal(await until('the rule to count', 2500, () => asks(outside, '10.0.0.70')), 'web')
    const gone = await demo.call('DELETE', 'network', `/security-group-rules/${made.body.security_group_rule.id}`)
    assert.equal(gone.status, 204)
    await until('the rule to count no more', 2500, async () => (await asks(outside, '10.0.0.70')) === null)
  })

  test('a server on the public network and the machine reach each other', async () => {
    const { networks } = await demo.get<{ networks: { id: string }[] }>('network', '/networks?name=public')
    const { images } = await demo.get<{ images: { id: string }[] }>('image', '/images?name=busybox')
    const server = { name: 'pub', imageRef: images[0]?.id, flavorRef: '1', networks: [{ uuid: networks[0]?.id }] }
    const made = await demo.call<{ server: { id: string } }>('POST', 'compute', '/servers', { server })
    assert.equal(made.status, 202, JSON.stringify(made.body))
    const { id } = made.body.server
    await until('pub ACTIVE', 30_000, async () => {
      const shown = await demo.get<{ server: { status: string } }>('compute', `/servers/${id}`)
      return shown.server.status === 'ACTIVE'
    })
    const { subnets } = await demo.get<{ subnets: { gateway_ip: string }[] }>(
      'network',
      `/subnets?network_id=${networks[0]?.id}`,
    )
    assert.equal(await pings(id, subnets[0]?.gateway_ip ?? ''), true)
  })
})
