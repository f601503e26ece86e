import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { createLocalBus } from '../../../platform/bus/local.ts'
import { systemClock } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import { type Heartbeat, heartbeatSubject } from '../../../platform/hosts/messages.ts'
import { newLogger } from '../../../platform/log.ts'
import { type HostInventory, type ServerOrder, type ServerReport, type SnapshotReport, subjects } from '../messages.ts'
import type { Plug } from './driver.ts'
import { anOrder, aPort, noPlug, uploadTarget } from './driver-suite.ts'
import { type FakeDriver, type FakeOptions, fakeDriver } from './fake.ts'
import { startComputeHost } from './servers.ts'

const image = { imageId: 'i1', reference: 'r', configDigest: 'sha256:1', pullToken: 't' }

/** A compute host on the simulated driver, and all it says. */
async function startHost(
  t: TestContext,
  options: FakeOptions & { plug?: Plug; driver?: FakeDriver; stateDir?: string } = {},
) {
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'berth-host-')))
  const log = newLogger('silent')
  const bus = createLocalBus(log)
  const driver = options.driver ?? fakeDriver(options)
  const reports: ServerReport[] = []
  const inventories: HostInventory[] = []
  const heartbeats: Heartbeat[] = []
  const snapshots: SnapshotReport[] = []
  let wake = Promise.withResolvers<void>()
  const keep = (list: unknown[]) => (message: unknown) => {
    list.push(message)
    wake.resolve()
    wake = Promise.withResolvers()
  }
  bus.subscribe(subjects.report, keep(reports))
  bus.subscribe(subjects.inventory, keep(inventories))
  bus.subscribe(heartbeatSubject, keep(heartbeats))
  bus.subscribe(subjects.snapshotReport, keep(snapshots))
  /** Waits until what was said satisfies `enough`. */
  const until = async (enough: () => unknown) => {
    while (!enough()) await wake.promise
  }
  const { plug = noPlug } = options
  const host = startComputeHost({ host: 'h1', cloudId: 'c1', stateDir, bus, driver, plug, log, clock: systemClock })
  t.after(async () => {
    await host.stop()
    await rm(stateDir, { recursive: true, force: true })
  })
  await host.ready
  const order = (wanted: ServerOrder) => bus.publish(subjects.order('h1'), wanted)
  const reported = async (wanted: ServerOrder) => {
    const before = reports.length
    order(wanted)
    await until(() => reports.length > before)
    return reports.at(-1)!
  }
  return { host, bus, driver, stateDir, reports, inventories, heartbeats, snapshots, until, order, reported }
}

test('a host says what it is and what it carries', async (t) => {
  const { inventories, heartbeats, until } = await startHost(t)
  await until(() => heartbeats.length > 0)
  await until(() => inventories.length > 0)
  assert.deepEqual(inventories[0], { host: 'h1', servers: [] })
  const { role, facts } = heartbeats[0]!
  assert.equal(role, 'compute')
  assert.equal(facts.engineVersion, 'simulated')
  assert.ok(Number(facts.memoryFreeMiB) > 0)
})

test('an order is carried out, reported and kept; absent takes all away', async (t) => {
  const { reported, stateDir } = await startHost(t)
  const order = anOrder(image, { generation: 3, bootEpoch: 2 })
  const report = await reported(order)
  assert.equal(report.seen, 'running')
  assert.equal(report.generation, 3)
  assert.equal(report.error, null)
  assert.ok(!('asOfMs' in report))
  const path = join(stateDir, 'host', 'servers', `${order.serverId}.json`)
  assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), { generation: 3, bootEpoch: 2, reboot: null })
  assert.equal((await reported({ ...order, generation: 4, wish: 'absent' })).seen, 'absent')
  assert.deepEqual(await readdir(join(stateDir, 'host', 'servers')), [])
})

test('older orders and repeated ones in work are dropped', async (t) => {
  let calls = 0
  const waiting = Promise.withResolvers<void>()
  const plug: Plug = {
    async ready() {
      calls += 1
      await waiting.promise
    },
  }
  const { order, reported, reports, until, bus } = await startHost(t, { plug })
  const wanted = anOrder(image, { generation: 5, ports: [aPort('p', 'n')] })
  order(wanted)
  order(wanted)
  order({ ...wanted, generation: 4, wish: 'absent' })
  await bus.idle()
  order(wanted)
  await bus.idle()
  waiting.resolve()
  await until(() => reports.length > 0)
  order({ ...wanted, generation: 4, wish: 'absent' })
  assert.equal((await reported({ ...wanted, generation: 6, wish: 'paused' })).seen, 'paused')
  assert.deepEqual(
    reports.map(({ generation }) => generation),
    [5, 6],
  )
  assert.equal(calls, 1)
  // Removed, and an old order comes late.
  await reported({ ...wanted, generation: 7, wish: 'absent' })
  order({ ...wanted, generation: 6 })
  await bus.idle()
  assert.equal(reports.length, 3)
})

test('a newer order that wants something else cuts the job in work short', async (t) => {
  const plug: Plug = {
    ready: (_p, _n, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
  }
  const { order, reported, reports, bus } = await startHost(t, { plug })
  const wanted = anOrder(image, { ports: [aPort('p', 'n')] })
  order(wanted)
  await bus.idle()
  assert.equal((await reported({ ...wanted, generation: 2, wish: 'absent' })).seen, 'absent')
  assert.equal(reports.length, 1)
})

test('a reboot is made once, also over a restart of the role', async (t) => {
  const { reported, driver, stateDir, host } = await startHost(t)
  const order = anOrder(image)
  const first = await reported(order)
  const second = await reported({ ...order, generation: 2, bootEpoch: 1 })
  assert.notEqual(second.startedAt, first.startedAt)
  const third = await reported({ ...order, generation: 3, bootEpoch: 1 })
  assert.equal(third.startedAt, second.startedAt)
  await host.stop()
  const later = await startHost(t, { driver, stateDir })
  await later.until(() => later.inventories.length > 0)
  assert.equal(later.inventories[0]?.servers[0]?.generation, 3)
  assert.equal((await later.reported({ ...order, generation: 4, bootEpoch: 1 })).startedAt, second.startedAt)
})

test('a failure names its step, and whether to try again', async (t) => {
  let failure: CloudError | null = new CloudError('unavailable', 'the engine is away')
  const { reported } = await startHost(t, { fail: () => failure })
  const order = anOrder(image)
  const report = await reported(order)
  assert.deepEqual(report.error, { step: 'compute.create.started', message: 'the engine is away', temporary: true })
  assert.equal(report.seen, 'absent')
  failure = new CloudError('noSpace', 'full')
  assert.equal((await reported(order)).error?.temporary, false)
  failure = null
  assert.equal((await reported(order)).error, null)
})

test('a create that failed is reported once, whatever its pieces tell', async (t) => {
  const { reported, reports, driver, bus } = await startHost(t, { fail: () => new CloudError('internal', 'no') })
  const order = anOrder(image)
  assert.equal((await reported(order)).error?.message, 'no')
  driver.end(order.serverId, 1) // a piece comes, and goes
  driver.vanish(order.serverId)
  await bus.idle()
  assert.equal(reports.length, 1)
})

test('what happens by itself is reported, with the generation of the last order', async (t) => {
  const { reported, reports, driver, until } = await startHost(t)
  const order = anOrder(image, { generation: 9 })
  await reported(order)
  driver.end(order.serverId, 3)
  await until(() => reports.length === 2)
  assert.deepEqual([reports[1]?.seen, reports[1]?.exit?.code, reports[1]?.generation], ['stopped', 3, 9])
  driver.vanish(order.serverId)
  await until(() => reports.length === 3)
  assert.deepEqual([reports[2]?.seen, reports[2]?.generation], ['absent', 9])
})

test('many servers at once', async (t) => {
  const { order, reports, until, heartbeats } = await startHost(t, { latencyMs: 1 })
  const orders = Array.from({ length: 200 }, () => anOrder(image))
  for (const one of orders) order(one)
  await until(() => reports.length === orders.length)
  assert.equal(new Set(reports.map(({ serverId }) => serverId)).size, orders.length)
  assert.ok(heartbeats.length >= 1)
})

test('console, diagnostics and snapshots are answered', async (t) => {
  const { reported, bus, snapshots, until } = await startHost(t)
  const order = anOrder(image)
  await reported(order)
  const { serverId } = order
  assert.deepEqual(await bus.request(subjects.console('h1'), { serverId, lines: 1 }), { output: '' })
  assert.equal((await bus.request<{ state: string }>(subjects.diagnostics('h1'), { serverId })).state, 'running')
  const nobody = { serverId: randomUUID(), lines: null }
  await assert.rejects(bus.request(subjects.console('h1'), nobody), { kind: 'notFound' })
  const target = await uploadTarget(t)
  bus.publish(subjects.snapshot('h1'), target.order(serverId))
  await until(() => snapshots.length === 3)
  assert.deepEqual(
    snapshots.map(({ state }) => state),
    ['committed', 'uploading', 'done'],
  )
  const refusing = await uploadTarget(t, 413)
  bus.publish(subjects.snapshot('h1'), refusing.order(serverId))
  await until(() => snapshots.some(({ state }) => state === 'failed'))
  assert.match(snapshots.at(-1)?.message ?? '', /413/)
})
