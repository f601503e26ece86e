import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startNetwork } from '../test-support.ts'

test('agents are the parts of the network hosts; routers move between them', async (t) => {
  const cloud = await startNetwork(t)
  const [admin, alice] = [cloud.as('admin'), cloud.as('alice')]
  for (const name of ['node1', 'node2']) cloud.addHost(name)
  await cloud.ground.bus.idle()
  const { agents } = (await admin.get('agents')).body
  const l3 = agents.filter((agent: { agent_type: string }) => agent.agent_type === 'L3 agent')
  assert.equal(l3.length, 2)
  assert.deepEqual(new Set(agents.map((agent: { alive: boolean }) => agent.alive)), new Set([true]))
  assert.equal((await admin.get('agents?host=node1&agent_type=L3 agent')).body.agents.length, 1)
  assert.equal((await admin.get('agents?pet=cat')).status, 400)
  assert.deepEqual((await alice.get('agents')).body.agents, [])
  assert.equal((await alice.get(`agents/${l3[0].id}`)).status, 404)
  assert.equal((await admin.get('agents/nope')).body.NeutronError.type, 'AgentNotFound')

  const off = await admin.put(`agents/${l3[0].id}`, { agent: { admin_state_up: false, description: 'in repair' } })
  assert.deepEqual([off.body.agent.admin_state_up, off.body.agent.description], [false, 'in repair'])
  const made = await Promise.all([1, 2, 3].map(() => alice.make('routers', {})))
  await cloud.settle()
  const hosting = async (id: string) =>
    (await admin.get(`routers/${id}/l3-agents`)).body.agents.map((agent: { host: string }) => agent.host)
  for (const { id } of made) assert.deepEqual(await hosting(id), [l3[1].host])
  const routersOf = `agents/${l3[1].id}/l3-routers`
  assert.equal((await admin.get(routersOf)).body.routers.length, 3)

  const [router] = made
  assert.equal((await admin.post(`agents/${l3[0].id}/l3-routers`, { router_id: router.id })).status, 409)
  await admin.put(`agents/${l3[0].id}`, { agent: { admin_state_up: true } })
  assert.equal((await admin.post(`agents/${l3[0].id}/l3-routers`, { router_id: router.id })).status, 409)
  assert.equal((await admin.delete(`${routersOf}/${router.id}`)).status, 204)
  await cloud.settle()
  assert.deepEqual(await hosting(router.id), [], 'what was taken off by hand is not placed again by itself')
  assert.equal((await admin.post(`agents/${l3[0].id}/l3-routers`, { router_id: router.id })).status, 201)
  await cloud.settle()
  assert.deepEqual(await hosting(router.id), [l3[0].host])
  assert.equal((await alice.get(routersOf)).status, 403)

  cloud.ground.clock.advanceMs(61_000)
  const { agents: later } = (await admin.get('agents')).body
  assert.deepEqual(new Set(later.map((agent: { alive: boolean }) => agent.alive)), new Set([false]))
  assert.equal((await admin.delete(`agents/${l3[0].id}`)).status, 204)
  assert.equal((await admin.get(`agents/${l3[0].id}`)).status, 404)
  assert.equal((await admin.get('availability_zones')).body.availability_zones[0].state, 'unavailable')
  assert.equal((await alice.get('service-providers')).body.service_providers.length, 1)
})
