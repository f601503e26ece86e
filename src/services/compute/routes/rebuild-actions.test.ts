import assert from 'node:assert/strict'
import test from 'node:test'
import { addImage, startComputeCloud } from '../../../../test/support/compute.ts'

test('rebuild makes the container anew, from another image, and a stopped one stays stopped', async (t) => {
  const cloud = await startComputeCloud(t)
  const other = await addImage(cloud.as('admin'), { visibility: 'public' })
  await cloud.settle()
  const id = await cloud.boot('demo', { metadata: { a: 'b' } })
  const containerOf = async () => (await cloud.drivers[0]!.list(AbortSignal.timeout(1000)))[0]!.containerId
  const first = await containerOf()
  const wanted = { imageRef: other, name: 'two', metadata: { c: 'd' }, description: null }
  const { status, body } = await cloud.act('demo', id, { rebuild: wanted })
  assert.equal(status, 202, JSON.stringify(body))
  assert.deepEqual([body.server.status, body.server.name, body.server.image.id], ['REBUILD', 'two', other])
  await cloud.settle()
  const after = await cloud.show('demo', id)
  assert.deepEqual([after.status, after.metadata], ['ACTIVE', { c: 'd' }])
  const second = await containerOf()
  assert.notEqual(second, first)
  await cloud.act('demo', id, { 'os-stop': null })
  await cloud.settle()
  assert.equal((await cloud.act('demo', id, { rebuild: { imageRef: cloud.imageId } })).status, 202)
  await cloud.settle()
  assert.equal((await cloud.show('demo', id)).status, 'SHUTOFF')
  assert.notEqual(await containerOf(), second)
  const bad = await cloud.act('demo', id, { rebuild: { imageRef: id } })
  assert.equal(bad.status, 400)
})

test('suspend and resume', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  for (const [action, status] of [
    ['suspend', 'SUSPENDED'],
    ['resume', 'ACTIVE'],
  ] as const) {
    assert.equal((await cloud.act('demo', id, { [action]: null })).status, 202)
    await cloud.settle()
    assert.equal((await cloud.show('demo', id)).status, status)
  }
  assert.equal((await cloud.act('demo', id, { resume: null })).status, 409)
})

test('resize holds the bigger of the two until it is confirmed or reverted', async (t) => {
  const cloud = await startComputeCloud(t, { hosts: [{ memoryMiB: 4096 }] })
  const id = await cloud.boot('demo')
  const held = async () => (await cloud.control.services.placement.usages(cloud.database.read)).get('MEMORY_MB')
  const change = async (action: object, expected: number) => {
    const { status, body } = await cloud.act('demo', id, action)
    assert.equal(status, expected, JSON.stringify(body))
    await cloud.settle()
    return (await cloud.show('demo', id)).status
  }
  assert.equal(await change({ resize: { flavorRef: '2' } }, 202), 'VERIFY_RESIZE')
  assert.equal((await cloud.show('demo', id)).flavor.ram, 2048)
  assert.equal(await change({ revertResize: null }, 202), 'ACTIVE')
  assert.deepEqual([(await cloud.show('demo', id)).flavor.ram, await held()], [512, 512])
  assert.equal(await change({ resize: { flavorRef: '2' } }, 202), 'VERIFY_RESIZE')
  assert.equal(await change({ confirmResize: null }, 204), 'ACTIVE')
  assert.equal(await change({ resize: { flavorRef: '1' } }, 202), 'VERIFY_RESIZE')
  assert.equal(await held(), 2048)
  assert.equal(await change({ confirmResize: null }, 204), 'ACTIVE')
  assert.equal(await held(), 512)
  assert.equal(await change({ resize: { flavorRef: '1' } }, 400), 'ACTIVE')
  assert.equal(await change({ resize: { flavorRef: '5' } }, 400), 'ACTIVE')
  assert.equal(await held(), 512)
  await change({ 'os-stop': null }, 202)
  assert.equal(await change({ resize: { flavorRef: '2' } }, 202), 'VERIFY_RESIZE')
  assert.equal(await change({ confirmResize: null }, 204), 'SHUTOFF')
})

test('a shelved server is an image alone, and comes back from it', async (t) => {
  const cloud = await startComputeCloud(t, { hosts: [{}, {}] })
  const id = await cloud.boot('demo')
  assert.equal((await cloud.act('demo', id, { shelve: null })).status, 202)
  await cloud.until(async () => (await cloud.show('demo', id)).status === 'SHELVED_OFFLOADED')
  const shelved = await cloud.show('admin', id)
  assert.deepEqual([shelved['OS-EXT-SRV-ATTR:host'], shelved['OS-EXT-STS:task_state']], [null, null])
  for (const driver of cloud.drivers) assert.deepEqual(await driver.list(AbortSignal.timeout(1000)), [])
  const usages = await cloud.control.services.placement.usages(cloud.database.read)
  assert.equal(usages.get('MEMORY_MB') ?? 0, 0)
  const images = async () => {
    const { body } = await cloud.as('demo').get('image', '/v2/images?name=one-shelved')
    return body.images.length
  }
  assert.equal(await images(), 1)
  assert.equal((await cloud.act('demo', id, { unshelve: null })).status, 202)
  await cloud.until(async () => (await cloud.show('demo', id)).status === 'ACTIVE')
  assert.equal(await images(), 0)
  assert.equal((await cloud.act('demo', id, { unshelve: null })).status, 409)
})
