import { temporaryDirectory } from '../../../../test/support/databases.ts'
import { startEngine } from '../../../../test/support/engine.ts'
import * as networks from '../../../machine/docker/networks.ts'
import { dockerDriver } from './docker.ts'
import { driverSuite } from './driver-suite.ts'

driverSuite('docker', async (t) => {
  const { engine, socketPath, busybox } = await startEngine(t, { ownNetwork: true })
  const driver = dockerDriver({ socketPath, cloudId: 'cloud1', configDrives: await temporaryDirectory(t) })
  t.after(() => driver.close())
  let third = 0
  return {
    driver,
    image: { imageId: 'i1', reference: 'unused', configDigest: busybox, pullToken: 't' },
    async networks(names) {
      for (const Name of names) {
        const IPAM = { Config: [{ Subnet: `10.78.${third++}.0/24` }] }
        await networks.create(engine, { Name, Driver: 'bridge', IPAM }, AbortSignal.timeout(20_000))
      }
    },
  }
})
