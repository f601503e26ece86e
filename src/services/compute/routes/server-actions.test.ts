import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latest, startComputeCloud } from '../../../../test/support/compute.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { ServerOrder } from '../messages.ts'

test('each action ends in its state, and leaves an action with its event', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  const steps: [action: object, status: string][] = [
    [{ 'os-stop': null }, 'SHUTOFF'],
    [{ 'os-start': null }, 'ACTIVE'],
    [{ reboot: { type: 'SOFT' } }, 'ACTIVE'],
    [{ pause: null }, 'PAUSED'],
    [{ unpause: null }, 'ACTIVE'],
    [{ 'os-stop': null }, 'SHUTOFF'],
    [{ reboot: { type: 'HARD' } }, 'ACTIVE'],
  ]
  for (const [action, status] of steps) {
    const answer = await cloud.act('demo', id, action)
    assert.equal(answer.status, 202, JSON.stringify(answer.body))
    await cloud.settle()
    const server = await cloud.show('demo', id)
    assert.equal(server.status, status, JSON.stringify(action))
    assert.equal(server['OS-EXT-STS:task_state'], null)
    assert.equal(server.fault, undefined)
  }
  const path = `/v2.1/servers/${id}/os-instance-actions`
  const { instanceActions } = (await cloud.as('demo').get('compute', path, latest)).body
  assert.deepEqual(instanceActions.map(({ action }: { action: string }) => action).reverse(), [
    'create',
    'stop',
    'start',
    'reboot',
    'pause',
    'unpause',
    'stop',
    'reboot',
  ])
  const { instanceAction } = (
    await cloud.as('admin').get('compute', `${path}/${instanceActions[0].request_id}`, latest)
  ).body
  assert.equal(instanceAction.events[0].event, 'compute_reboot_instance')
  assert.equal(instanceAction.events[0].result, 'Success')
  await cloud.as('demo').delete('compute', `/v2.1/servers/${id}`)
  await cloud.settle()
  const kept = await cloud.as('demo').get('compute', path, latest)
  assert.equal(kept.body.instanceActions[0].action, 'delete')
  assert.equal((await cloud.as('demo').get('compute', path)).status, 404)
})

test('what the state does not allow is refused in Nova’s words', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  const refused = async (action: object, status: number, message: RegExp) => {
    const answer = await cloud.act('demo', id, action)
    assert.equal(answer.status, status, JSON.stringify(answer.body))
    const fault = Object.values(answer.body)[0] as { code: number; message: string }
    assert.equal(fault.code, status)
    assert.match(fault.message, message)
  }
  await refused({ 'os-start': null }, 409, new RegExp(`^Cannot 'start' instance ${id} while it is in vm_state active$`))
  await refused({ unpause: null }, 409, /in vm_state active/)
  await refused({ nonsense: null }, 400, /^There is no such action: nonsense$/)
  await refused({ reboot: { type: 'warm' } }, 400, /not one of/)
  await refused({ 'os-stop': null, pause: null }, 400, /Multiple body keys/)
  await refused({}, 400, /names no action/)
  assert.equal((await cloud.act('demo', id, { 'os-stop': null })).status, 202)
  await cloud.settle()
  await refused({ reboot: { type: 'SOFT' } }, 409, /Cannot 'reboot' .* vm_state stopped/)
  await refused({ pause: null }, 409, /Cannot 'pause' .* vm_state stopped/)

  assert.equal((await cloud.act('demo', id, { lock: { locked_reason: 'mine' } })).status, 202)
  await refused({ 'os-start': null }, 409, /is locked/)
  const locked = await cloud.show('demo', id)
  assert.deepEqual([locked.locked, locked.locked_reason], [true, 'mine'])
  assert.equal((await cloud.as('demo').delete('compute', `/v2.1/servers/${id}`)).status, 409)
  assert.equal((await cloud.act('demo', id, { unlock: null })).status, 202)
  assert.equal((await cloud.act('demo', id, { 'os-start': null })).status, 202)
})

test('a snapshot becomes an image that boots, with the properties of its server', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  const answer = await cloud.act('demo', id, { createImage: { name: 'snap', metadata: { team: 'red' } } })
  assert.equal(answer.status, 202, JSON.stringify(answer.body))
  const second = await cloud.act('demo', id, { createImage: { name: 'again' } })
  assert.ok(second.status === 409, JSON.stringify(second.body))
  await cloud.settle()
  const image = (await cloud.as('demo').get('image', `/v2/images/${answer.body.image_id}`)).body
  assert.deepEqual(
    [image.status, image.container_format, image.image_type, image.base_image_ref, image.instance_uuid, image.team],
    ['active', 'docker', 'snapshot', cloud.imageId, id, 'red'],
  )
  assert.equal((await cloud.show('demo', id))['OS-EXT-STS:task_state'], null)
  const old = await cloud.act('demo', id, { createImage: { name: 'old' } }, {})
  assert.match(String(old.headers.location), /\/images\/[0-9a-f-]{36}$/)
  await cloud.settle()
  await cloud.boot('demo', { imageRef: answer.body.image_id })
})

test('the machine’s own doings are seen: an end, a container removed by hand, one that nobody wants', async (t) => {
  const cloud = await startComputeCloud(t)
  const [driver] = cloud.drivers
  const id = await cloud.boot('demo')
  driver!.end(id, 7)
  await cloud.settle()
  const ended = await cloud.show('demo', id)
  assert.equal(ended.status, 'SHUTOFF')
  assert.match(ended.fault.message, /code 7/)
  const { exit_code } = (await cloud.as('admin').get('compute', `/v2.1/servers/${id}/diagnostics`)).body
  assert.equal(exit_code, 7)

  await cloud.act('demo', id, { 'os-start': null })
  await cloud.settle()
  assert.equal((await cloud.show('demo', id)).fault, undefined)
  driver!.vanish(id)
  await cloud.settle()
  assert.equal((await cloud.show('demo', id)).status, 'ACTIVE')
  const list = () => driver!.list(new AbortController().signal)
  assert.equal((await list())[0]?.seen, 'running')

  await cloud.database.write(async (trx) => {
    await trx.updateTable('compute_servers').set({ deleted: 1 }).where('id', '=', id).execute()
  })
  driver!.end(id, 1)
  await cloud.settle()
  await cloud.idle()
  assert.deepEqual(await list(), [])
})

test('what may pass is tried again, what will not is ERROR with the host’s words, and both can be deleted', async (t) => {
  let failure: CloudError | null = new CloudError('unavailable', 'the registry is away')
  let orders = 0
  const fail = (order: ServerOrder) => {
    if (order.wish === 'absent') return null
    orders++
    return failure
  }
  const cloud = await startComputeCloud(t, { hosts: [{ fail }] })
  const { body } = await cloud.create('demo')
  await cloud.settle()
  assert.equal((await cloud.show('demo', body.server.id)).status, 'BUILD')
  failure = null
  await cloud.until(async () => (await cloud.show('demo', body.server.id)).status === 'ACTIVE')
  assert.ok(orders >= 2)

  failure = new CloudError('conflict', 'exec: "nosuch": not found')
  const id = await cloud.boot('demo')
  const server = await cloud.show('demo', id)
  assert.equal(server.status, 'ERROR')
  assert.deepEqual([server.fault.code, server.fault.message], [500, 'exec: "nosuch": not found'])
  assert.equal((await cloud.act('demo', id, { 'os-start': null })).status, 409)
  assert.equal((await cloud.as('demo').delete('compute', `/v2.1/servers/${id}`)).status, 204)
  await cloud.settle()
  assert.equal((await cloud.as('demo').get('compute', `/v2.1/servers/${id}`)).status, 404)
})
