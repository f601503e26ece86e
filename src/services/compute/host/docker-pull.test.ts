import assert from 'node:assert/strict'
import test from 'node:test'
import { temporaryDirectory } from '../../../../test/support/databases.ts'
import { startEngine } from '../../../../test/support/engine.ts'
import { startRegistry } from '../../../../test/support/registry.ts'
import * as engineImages from '../../../machine/docker/images.ts'
import { dockerDriver } from './docker.ts'
import { anOrder, noPlug } from './driver-suite.ts'

test('an image is pulled by digest, once for all who want it', async (t) => {
  const signal = AbortSignal.timeout(120_000)
  const { engine, socketPath } = await startEngine(t)
  const registry = await startRegistry(t, 'a.b-c_d')
  const driver = dockerDriver({ socketPath, cloudId: 'c1', configDrives: await temporaryDirectory(t) })
  t.after(() => driver.close())
  const { reference, configDigest } = registry
  const image = { imageId: 'i1', reference, configDigest, pullToken: 'a.b-c_d' }
  const options = { rebootFrom: null, plug: noPlug }
  const blobs = () => registry.served.filter((line) => line.includes('/blobs/')).length

  await t.test('a wrong token or digest is told in words', async () => {
    const wrong = anOrder({ ...image, pullToken: 'wrong' })
    await assert.rejects(driver.ensure(wrong, options, signal), {
      step: 'compute.create.pulled',
      message: /Image i1 could not be pulled/,
    })
    const absent = anOrder({ ...image, reference: reference.replace(/sha256:.*/, `sha256:${'0'.repeat(64)}`) })
    await assert.rejects(driver.ensure(absent, options, signal), {
      kind: 'notFound',
      message: /manifest unknown|not found/,
    })
    const nobody = anOrder({ ...image, reference: reference.replace(/:\d+/, ':9') })
    await assert.rejects(driver.ensure(nobody, options, signal), { kind: 'unavailable', message: /refused/ })
    assert.deepEqual(await driver.list(signal), [])
  })

  await t.test('five at once pull once, and later ones not at all', async () => {
    const before = blobs()
    const seen = await Promise.all([1, 2, 3, 4, 5].map(() => driver.ensure(anOrder(image), options, signal)))
    assert.deepEqual(new Set(seen.map((server) => server.seen)), new Set(['running']))
    assert.equal(blobs() - before, 2)
    assert.equal((await driver.ensure(anOrder(image), options, signal)).seen, 'running')
    assert.equal(blobs() - before, 2)
  })

  await t.test('who gives up leaves the pull to the others; when all do, it ends', async () => {
    for (const { serverId } of await driver.list(signal))
      await driver.ensure(anOrder(image, { serverId, wish: 'absent' }), options, signal)
    await engineImages.remove(engine, configDigest, signal)
    const hold = registry.holdBlobs()
    const one = new AbortController()
    const two = new AbortController()
    const first = driver.ensure(anOrder(image), options, one.signal)
    const second = driver.ensure(anOrder(image), options, two.signal)
    await hold.asked
    one.abort()
    await assert.rejects(first, { name: 'AbortError' })
    two.abort()
    await assert.rejects(second, { name: 'AbortError' })
    await assert.rejects(engineImages.inspect(engine, configDigest, signal), { kind: 'notFound' })
    hold.release()
  })
})
