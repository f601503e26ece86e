/** A compute host in a process of its own, that carries out one order and ends, or dies at a fault point on the way. */
import { createLocalBus } from '../../src/platform/bus/local.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { armFault } from '../../src/platform/faults.ts'
import { newLogger } from '../../src/platform/log.ts'
import { dockerDriver } from '../../src/services/compute/host/docker.ts'
import { startComputeHost } from '../../src/services/compute/host/servers.ts'
import { type ServerReport, type SnapshotReport, subjects } from '../../src/services/compute/messages.ts'

export interface Task {
  socketPath: string
  stateDir: string
  cloudId: string
  fault: string | null
  kind: 'order' | 'snapshot'
  message: unknown
}

if (import.meta.main) {
  const { socketPath, stateDir, cloudId, fault, kind, message } = JSON.parse(process.argv[2] ?? '') as Task
  const log = newLogger('warn')
  const bus = createLocalBus(log)
  const driver = dockerDriver({ socketPath, cloudId, configDrives: `${stateDir}/config-drives` })
  const plug = { ready: async () => {} }
  const host = startComputeHost({ host: 'h1', cloudId, stateDir, bus, driver, plug, log, clock: systemClock })
  await host.ready
  armFault(fault)
  const told = Promise.withResolvers<unknown>()
  if (kind === 'order') bus.subscribe<ServerReport>(subjects.report, (report) => told.resolve(report))
  else
    bus.subscribe<SnapshotReport>(subjects.snapshotReport, (report) => {
      if (report.state === 'done' || report.state === 'failed') told.resolve(report)
    })
  bus.publish(kind === 'order' ? subjects.order('h1') : subjects.snapshot('h1'), message)
  const report = await told.promise
  await host.stop()
  await driver.close()
  process.stdout.write(JSON.stringify(report))
}
