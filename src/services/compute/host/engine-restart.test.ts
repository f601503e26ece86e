import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { temporaryDirectory } from '../../../../test/support/databases.ts'
import { startEngine } from '../../../../test/support/engine.ts'
import * as containers from '../../../machine/docker/containers.ts'
import { createLocalBus } from '../../../platform/bus/local.ts'
import { systemClock } from '../../../platform/clock.ts'
import { newLogger } from '../../../platform/log.ts'
import { type HostInventory, type ServerOrder, type ServerReport, subjects } from '../messages.ts'
import { containerName } from './container-spec.ts'
import { dockerDriver } from './docker.ts'
import { anOrder, noPlug } from './driver-suite.ts'
import { startComputeHost } from './servers.ts'

for (const liveRestore of [false, true])
  test(`the engine is killed and comes back, ${liveRestore ? 'with' : 'without'} live restore`, async (t) => {
    const flags = liveRestore ? ['--live-restore'] : []
    const { engine, socketPath, busybox, kill, start } = await startEngine(t, { ownNetwork: true, flags })
    const stateDir = await mkdtemp(join(tmpdir(), 'berth-restart-'))
    const log = newLogger('silent')
    const bus = createLocalBus(log)
    const driver = dockerDriver({ socketPath, cloudId: 'c1', configDrives: await temporaryDirectory(t) })
    const clock = systemClock
    const reports: ServerReport[] = []
    const inventories: HostInventory[] = []
    let wake = Promise.withResolvers<void>()
    const keep = (list: unknown[]) => (message: unknown) => {
      list.push(message)
      wake.resolve()
      wake = Promise.withResolvers()
    }
    bus.subscribe(subjects.report, keep(reports))
    bus.subscribe(subjects.inventory, keep(inventories))
    const until = async (enough: () => boolean) => {
      while (!enough()) await wake.promise
    }
    const host = startComputeHost({ host: 'h1', cloudId: 'c1', stateDir, bus, driver, plug: noPlug, log, clock })
    t.after(async () => {
      await host.stop()
      await driver.close()
      await rm(stateDir, { recursive: true, force: true })
    })
    await host.ready
    const reported = async (order: ServerOrder) => {
      const before = reports.length
      bus.publish(subjects.order('h1'), order)
      await until(() => reports.length > before)
      return reports.at(-1)!
    }
    const image = { imageId: 'i1', reference: 'unused', configDigest: busybox, pullToken: 't' }
    // One that ends when asked: the engine that comes back without live restore stops what it finds.
    const order = anOrder(image, { command: ['sh', '-c', 'trap "exit 5" TERM; while true; do sleep 0.1; done'] })
    const first = await reported(order)
    assert.equal(first.seen, 'running')

    await kill()
    const away = await reported({ ...order, generation: 2 })
    assert.equal(away.error?.temporary, true)
    assert.match(away.error?.message ?? '', /docker\.sock is not reachable/)
    assert.equal(away.seen, 'running') // as last seen

    const before = inventories.length
    await start()
    await until(() => inventories.length > before)
    const [found] = inventories.at(-1)!.servers
    assert.equal(found?.seen, liveRestore ? 'running' : 'stopped')
    assert.equal(found?.containerId, first.containerId)
    const again = await reported({ ...order, generation: 2 })
    assert.deepEqual([again.seen, again.containerId, again.error], ['running', first.containerId, null])
    assert.equal(again.startedAt === first.startedAt, liveRestore)
    // The end of a server with its engine is not told as its own doing: three reports, each of an order.
    assert.deepEqual(
      reports.map(({ generation }) => generation),
      [1, 2, 2],
    )

    // And events are heard again.
    await containers.kill(engine, containerName(order.serverId), 'SIGKILL', AbortSignal.timeout(10_000))
    await until(() => reports.length === 4)
    assert.deepEqual([reports[3]?.seen, reports[3]?.exit?.code], ['stopped', 137])
  })
