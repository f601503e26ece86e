import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startComputeCloud } from '../../../../test/support/compute.ts'

const actions = {
  stop: { 'os-stop': null },
  soft: { reboot: { type: 'SOFT' } },
  hard: { reboot: { type: 'HARD' } },
  pause: { pause: null },
  suspend: { suspend: null },
  rescue: { rescue: null },
  shelve: { shelve: null },
  resize: { resize: { flavorRef: '2' } },
  migrate: { migrate: null },
  image: { createImage: { name: 'x' } },
} as const

test('of two things asked for at once one is done, and the other refused', async (t) => {
  const cloud = await startComputeCloud(t, {
    hosts: [{ latencyMs: 2 }, {}],
    config: { quotas: { instances: -1, cores: -1, ramMiB: -1, keyPairs: -1 } },
  })
  const names = Object.keys(actions) as (keyof typeof actions)[]
  const pairs = names.flatMap((a, i) => names.slice(i).map((b) => [a, b] as const))
  await Promise.all(
    pairs.map(async ([a, b]) => {
      const { body } = await cloud.create('admin')
      const id = body.server.id as string
      await cloud.until(async () => (await cloud.show('admin', id)).status === 'ACTIVE')
      const answers = await Promise.all([a, b].map((name) => cloud.act('admin', id, actions[name])))
      const done = answers.filter(({ status }) => status === 202 || status === 200)
      const refused = answers.filter(({ status }) => status === 409)
      // A hard reboot is the way out of a reboot that hangs.
      const both = (a === 'soft' && b === 'hard') || (a === 'hard' && b === 'hard')
      const accepted = both ? [1, 2] : [1]
      assert.ok(accepted.includes(done.length), `${a} and ${b}: ${answers.map(({ status }) => status)}`)
      assert.equal(done.length + refused.length, 2, `${a} and ${b}: ${answers.map(({ status }) => status)}`)
      await cloud.until(async () => (await cloud.show('admin', id))['OS-EXT-STS:task_state'] === null)
      const server = await cloud.show('admin', id)
      assert.notEqual(server.status, 'ERROR', `${a} and ${b}: ${JSON.stringify(server.fault)}`)
    }),
  )
})

test('a deletion overtakes whatever is under way, and nothing overtakes it', async (t) => {
  const cloud = await startComputeCloud(t, { hosts: [{ latencyMs: 20 }, { latencyMs: 20 }] })
  const gone = async (id: string) => (await cloud.as('admin').get('compute', `/v2.1/servers/${id}`)).status === 404
  const remove = (id: string) => cloud.as('admin').delete('compute', `/v2.1/servers/${id}`)
  const building = (await cloud.create('admin')).body.server.id as string
  assert.equal((await remove(building)).status, 204)
  const late = await cloud.act('admin', building, { rebuild: { imageRef: cloud.imageId } })
  assert.ok([404, 409].includes(late.status))
  await cloud.until(() => gone(building))
  for (const name of ['stop', 'soft', 'rescue', 'shelve', 'resize', 'migrate'] as const) {
    const id = await cloud.boot('admin')
    const [asked, deleted] = await Promise.all([cloud.act('admin', id, actions[name]), remove(id)])
    assert.ok(asked.status < 300 || [404, 409].includes(asked.status), `${name}: ${asked.status}`)
    assert.equal(deleted.status, 204)
    assert.ok([204, 404].includes((await remove(id)).status), 'deleted twice')
    assert.ok([404, 409].includes((await cloud.act('admin', id, actions.hard)).status))
    await cloud.until(() => gone(id))
  }
  await cloud.until(async () => {
    const left = await Promise.all(cloud.drivers.map((driver) => driver.list(AbortSignal.timeout(9000))))
    return left.flat().length === 0
  })
  const claims = await cloud.database.read.selectFrom('placement_allocations').selectAll().execute()
  assert.deepEqual(claims, [])
})
