import assert from 'node:assert/strict'
import test from 'node:test'
import { CloudError } from '../../../platform/errors.ts'
import { anOrder, driverSuite, noPlug } from './driver-suite.ts'
import { fakeDriver } from './fake.ts'

const image = { imageId: 'i1', reference: 'r', configDigest: 'sha256:1', pullToken: 't' }

driverSuite('fake', async () => ({ driver: fakeDriver({ latencyMs: 1 }), image, networks: async () => {} }))

test('the fake fails as told', async () => {
  const driver = fakeDriver({ fail: ({ name }) => (name === 'bad' ? new CloudError('noSpace', 'full') : null) })
  const signal = AbortSignal.timeout(10_000)
  const options = { rebootFrom: null, plug: noPlug }
  await assert.rejects(driver.ensure(anOrder(image, { name: 'bad' }), options, signal), {
    kind: 'noSpace',
    step: 'compute.create.started',
  })
  assert.equal((await driver.ensure(anOrder(image), options, signal)).seen, 'running')
  assert.equal((await driver.facts(signal)).engineVersion, 'simulated')
})
