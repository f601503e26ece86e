import { startEngine } from '../../../../test/support/engine.ts'
import { dockerDriver } from './docker.ts'
import { driverSuite } from './driver-suite.ts'

driverSuite('docker', async (t) => {
  const { socketPath, busybox } = await startEngine(t, { ownNetwork: true })
  const driver = dockerDriver({ socketPath, cloudId: 'cloud1' })
  t.after(() => driver.close())
  return { driver, image: { imageId: 'i1', reference: 'unused', configDigest: busybox, pullToken: 't' } }
})
