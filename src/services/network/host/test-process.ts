/**
 * A network host in a process of its own, so that a test can have it killed at a fault point. Orders come and reports
 * go over the channel to the parent: `{ subject, message }` both ways.
 */
import { openEngine } from '../../../machine/docker/engine.ts'
import { createLocalBus } from '../../../platform/bus/local.ts'
import { systemClock } from '../../../platform/clock.ts'
import { armFault } from '../../../platform/faults.ts'
import { newLogger } from '../../../platform/log.ts'
import { subjects } from '../messages.ts'
import { startNetworkHost } from './agent.ts'

const [host = '', cloudId = '', stateDir = '', socketPath = '', fault = ''] = process.argv.slice(2)
const log = newLogger('warn')
const bus = createLocalBus(log)
armFault(fault === '' ? null : fault)
bus.subscribe(subjects.report, (message) => void process.send?.({ subject: subjects.report, message }))
process.on('message', ({ subject, message }: { subject: string; message: unknown }) => bus.publish(subject, message))
// A parent that is gone wants nothing any more.
process.on('disconnect', () => process.exit())
await startNetworkHost({
  ...{ host, cloudId, stateDir, bus, log, clock: systemClock, publicNat: false },
  engine: openEngine(socketPath),
}).ready
process.send?.({ subject: 'ready', message: null })
