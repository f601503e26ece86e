import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addImage, startComputeCloud } from '../../../../test/support/compute.ts'

test('rescue and back, from another image, and what a rescued server refuses', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  const [own] = await cloud.drivers[0]!.list(AbortSignal.timeout(9000))
  const rescueImage = await addImage(cloud.as('demo'))
  const state = async () => {
    await cloud.settle()
    const server = await cloud.show('demo', id)
    assert.equal(server['OS-EXT-STS:task_state'], null)
    return [server.status, server['OS-EXT-STS:vm_state'], server['OS-EXT-STS:power_state']]
  }
  const { status, body } = await cloud.act('demo', id, {
    rescue: { adminPass: 'secret', rescue_image_ref: rescueImage },
  })
  assert.deepEqual([status, body], [200, { adminPass: 'secret' }])
  assert.equal((await cloud.act('demo', id, { rescue: null })).status, 409, 'at work already')
  assert.deepEqual(await state(), ['RESCUE', 'rescued', 1])
  assert.deepEqual(
    (await cloud.as('demo').get('compute', '/v2.1/servers?status=RESCUE')).body.servers.map(
      (s: { id: string }) => s.id,
    ),
    [id],
  )
  const refused = [
    { rescue: null },
    { reboot: { type: 'HARD' } },
    { rebuild: { imageRef: cloud.imageId } },
    { 'os-stop': null },
    { pause: null },
    { suspend: null },
    { createImage: { name: 'x' } },
    { resize: { flavorRef: '2' } },
    { changePassword: { adminPass: 'x' } },
  ]
  for (const action of refused) assert.equal((await cloud.act('demo', id, action)).status, 409, JSON.stringify(action))

  // It ends by itself, as a server may: still to be unrescued.
  cloud.drivers[0]!.end(id, 1)
  await cloud.idle()
  assert.deepEqual(await state(), ['RESCUE', 'rescued', 4])
  assert.equal((await cloud.act('demo', id, { unrescue: null })).status, 202)
  assert.deepEqual(await state(), ['ACTIVE', 'active', 1])
  const [back] = await cloud.drivers[0]!.list(AbortSignal.timeout(9000))
  assert.equal(back?.containerId, own?.containerId)
  assert.equal((await cloud.act('demo', id, { unrescue: null })).status, 409)

  // Without an image it is the server's own; a stopped server runs after it, and a rescued one can be deleted.
  await cloud.act('demo', id, { 'os-stop': null })
  await cloud.settle()
  const generated = await cloud.act('demo', id, { rescue: null })
  assert.match(generated.body.adminPass, /^\w{12}$/)
  assert.deepEqual(await state(), ['RESCUE', 'rescued', 1])
  assert.equal((await cloud.as('demo').delete('compute', `/v2.1/servers/${id}`)).status, 204)
  await cloud.settle()
  assert.deepEqual(await cloud.drivers[0]!.list(AbortSignal.timeout(9000)), [])
})

test('a paused server is not rescued, nor one by an image that is none', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  const absent = '00000000-0000-4000-8000-000000000000'
  const answer = await cloud.act('demo', id, { rescue: { rescue_image_ref: absent } })
  assert.equal(answer.status, 400, JSON.stringify(answer.body))
  assert.equal((await cloud.act('demo', id, { rescue: { image: absent } })).status, 400)
  assert.equal((await cloud.act('demo', absent, { rescue: null })).status, 404)
  await cloud.act('demo', id, { pause: null })
  await cloud.settle()
  assert.equal((await cloud.act('demo', id, { rescue: null })).status, 409)
})
