import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { type Caller, startNetwork } from '../test-support.ts'

eachDatabase((engine, open) => {
  test(`${engine}: 200 ports made at once on a /24 have 200 addresses; when it is full, it says so`, async (t) => {
    const { as } = await startNetwork(t, { open })
    const alice = as('alice')
    const { id: network_id } = await alice.make('networks', {})
    await alice.make('subnets', { network_id, ip_version: 4, cidr: '10.0.0.0/24' })
    const create = () => alice.post('ports', { port: { network_id } })
    const made = await Promise.all(Array.from({ length: 200 }, create))
    assert.deepEqual(new Set(made.map(({ status }) => status)), new Set([201]))
    const addresses = made.map(({ body }) => body.port.fixed_ips[0].ip_address)
    assert.equal(new Set(addresses).size, 200)
    // 253 there are, the gateway apart.
    const rest = await Promise.all(Array.from({ length: 60 }, create))
    assert.equal(rest.filter(({ status }) => status === 201).length, 53)
    for (const { status, body } of rest) {
      if (status !== 201) assert.deepEqual([status, body.NeutronError.type], [409, 'IpAddressGenerationFailure'])
    }
  })
})

type Step = 'port' | 'router' | 'subnet' | 'network'

const orders = (steps: readonly Step[]): Step[][] =>
  steps.length === 0 ? [[]] : steps.flatMap((step) => orders(steps.filter((o) => o !== step)).map((o) => [step, ...o]))

test('whatever is deleted first, in the end nothing is left, on the hosts neither', async (t) => {
  const cloud = await startNetwork(t)
  const [admin, alice] = [cloud.as('admin'), cloud.as('alice')]
  cloud.addHost('node1')
  const outside = await admin.make('networks', { 'router:external': true })
  await admin.make('subnets', { network_id: outside.id, ip_version: 4, cidr: '198.51.100.0/24' })
  await admin.put('quotas/alice', { quota: { router: -1 } })
  await cloud.settle()
  const before = await leftOvers(cloud.ground.database.read)

  async function all(order: readonly Step[]): Promise<void> {
    const network = await alice.make('networks', {})
    const subnet = await alice.make('subnets', { network_id: network.id, ip_version: 4, cidr: '10.0.0.0/24' })
    const wish = { network_id: network.id, project_id: 'alice', 'binding:host_id': 'node1' }
    const port = await admin.make('ports', wish)
    const router = await alice.make('routers', { external_gateway_info: { network_id: outside.id } })
    await alice.put(`routers/${router.id}/add_router_interface`, { subnet_id: subnet.id })
    const floating = { floating_network_id: outside.id, port_id: port.id }
    const { id } = (await alice.post('floatingips', { floatingip: floating })).body.floatingip
    const gone: Record<Step, () => Promise<boolean>> = {
      port: async () => deleted(alice, `ports/${port.id}`),
      subnet: async () => deleted(alice, `subnets/${subnet.id}`),
      network: async () => deleted(alice, `networks/${network.id}`),
      router: async () => {
        await alice.put(`routers/${router.id}/remove_router_interface`, { subnet_id: subnet.id })
        return deleted(alice, `routers/${router.id}`)
      },
    }
    let left = [...order]
    for (let rounds = 0; left.length > 0; rounds++) {
      assert.ok(rounds < 5, `${order}: ${left} cannot be deleted`)
      const kept: Step[] = []
      for (const step of left) if (!(await gone[step]())) kept.push(step)
      left = kept
    }
    assert.equal(await deleted(alice, `floatingips/${id}`), true)
  }
  await Promise.all(orders(['port', 'router', 'subnet', 'network']).map(all))
  await cloud.settle()
  assert.deepEqual(await leftOvers(cloud.ground.database.read), before)
})

/** True when it went, or was gone already; false when something still needs it. */
async function deleted(caller: Caller, path: string): Promise<boolean> {
  const { status } = await caller.delete(path)
  assert.ok([204, 404, 409].includes(status), `${path}: ${status}`)
  return status !== 409
}

async function leftOvers(db: Awaited<ReturnType<typeof startNetwork>>['ground']['database']['read']) {
  const tables = [
    ...(['network_networks', 'network_subnets', 'network_ports', 'network_ip_allocations'] as const),
    ...(['network_routers', 'network_floating_ips', 'network_host_networks', 'network_gone_ports'] as const),
    ...(['network_gone_routers', 'network_rbac_policies'] as const),
  ]
  const counts: Record<string, number> = {}
  for (const table of tables) {
    const row = await db
      .selectFrom(table)
      .select((eb) => eb.fn.countAll<number>().as('n'))
      .executeTakeFirstOrThrow()
    counts[table] = Number(row.n)
  }
  return counts
}
