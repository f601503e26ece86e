import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { CloudError } from '../../../platform/errors.ts'
import type { ServerOrder, SnapshotOrder } from '../messages.ts'
import type { Change, EnsureOptions, Plug, ServerDriver } from './driver.ts'

/** Nothing to wait for: servers without ports. */
export const noPlug: Plug = { ready: async () => {} }

export const aPort = (portId: string, networkId: string, nic = 0): ServerOrder['ports'][number] => ({
  ...{ portId, networkId, nic, macAddress: `fa:16:3e:00:00:0${nic + 1}`, addresses: [] },
})

/** The whole wish for a small server; `part` says what matters to the test. */
export function anOrder(image: ServerOrder['image'], part: Partial<ServerOrder> = {}): ServerOrder {
  return {
    serverId: randomUUID(),
    generation: 1,
    wish: 'running',
    bootEpoch: 0,
    bootKind: 'hard',
    buildEpoch: 0,
    name: 's1',
    hostname: 's1',
    projectId: 'p1',
    userId: 'u1',
    image,
    rescue: null,
    command: null,
    environment: {},
    vcpus: 1,
    memoryMiB: 64,
    swapMiB: 0,
    diskGiB: 1,
    dockerSpecs: {},
    ports: [],
    ...part,
  }
}

/** An Image service that takes one upload and keeps its bytes. */
export async function uploadTarget(t: TestContext, status = 204) {
  const received: { token: string | undefined; bytes: Buffer }[] = []
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      response.end(JSON.stringify({ status: 'active' }))
      return
    }
    const bytes = Buffer.concat(await request.toArray())
    received.push({ token: request.headers['x-auth-token'] as string | undefined, bytes })
    response.writeHead(status).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const order = (serverId: string): SnapshotOrder => ({
    snapshotId: randomUUID(),
    serverId,
    imageId: 'i1',
    uploadUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2/images/i1/file`,
    token: 'secret',
  })
  return { received, order }
}

export interface SuiteSubject {
  driver: ServerDriver
  image: ServerOrder['image']
  /** Makes the Docker networks that a data path would have made. */
  networks(names: readonly string[]): Promise<void>
}

/** What every driver must do; run by `docker.test.ts` and `fake.test.ts`. */
export function driverSuite(name: string, setUp: (t: TestContext) => Promise<SuiteSubject>): void {
  test(`${name}: the contract of a server driver`, async (t) => {
    const { driver, image, networks } = await setUp(t)
    const signal = AbortSignal.timeout(120_000)
    const plain: EnsureOptions = { rebootFrom: null, plug: noPlug }
    const ensure = (order: ServerOrder, options: Partial<EnsureOptions> = {}) =>
      driver.ensure(order, { ...plain, ...options }, signal)
    const listed = async (serverId: string) => (await driver.list(signal)).find((seen) => seen.serverId === serverId)

    await t.test('facts and ping', async () => {
      await driver.ping(signal)
      const facts = await driver.facts(signal)
      assert.ok(facts.vcpus > 0 && facts.memoryMiB > 0 && facts.diskGiB > 0)
    })

    await t.test('every wish, and each repeated', async () => {
      const order = anOrder(image)
      const { serverId } = order
      assert.equal((await driver.find(serverId, signal)).seen, 'absent')
      const first = await ensure(order)
      assert.equal(first.seen, 'running')
      assert.equal(first.exit, null)
      assert.ok(first.startedAt)
      const again = await ensure(order)
      assert.deepEqual([again.containerId, again.startedAt], [first.containerId, first.startedAt])
      assert.deepEqual(await listed(serverId), { serverId, seen: 'running', containerId: first.containerId })

      for (const wish of [
        'paused',
        'paused',
        'running',
        'paused',
        'stopped',
        'stopped',
        'paused',
        'running',
      ] as const) {
        const seen = await ensure({ ...order, wish })
        assert.equal(seen.seen, wish)
        assert.equal(seen.containerId, first.containerId)
        assert.equal(seen.exit === null, wish !== 'stopped')
        assert.equal((await driver.find(serverId, signal)).seen, wish)
      }
      for (const wish of ['absent', 'absent'] as const) assert.equal((await ensure({ ...order, wish })).seen, 'absent')
      assert.equal(await listed(serverId), undefined)
    })

    await t.test('a restart is made once', async () => {
      const order = anOrder(image)
      const first = await ensure(order)
      const second = await ensure({ ...order, bootEpoch: 1 }, { rebootFrom: first.startedAt })
      assert.equal(second.containerId, first.containerId)
      assert.equal(second.seen, 'running')
      const third = await ensure({ ...order, bootEpoch: 1 }, { rebootFrom: 'another time' })
      assert.equal(third.startedAt, second.startedAt)
      await ensure({ ...order, wish: 'paused' })
      assert.equal((await ensure(order, { rebootFrom: second.startedAt })).seen, 'running')
      await ensure({ ...order, wish: 'absent' })
    })

    await t.test('a rebuild makes another container, once, and one wanted stopped is stopped', async () => {
      const order = anOrder(image)
      const first = await ensure(order)
      const second = await ensure({ ...order, buildEpoch: 1 })
      assert.equal(second.seen, 'running')
      assert.notEqual(second.containerId, first.containerId)
      assert.equal((await ensure({ ...order, buildEpoch: 1 })).containerId, second.containerId)
      const third = await ensure({ ...order, buildEpoch: 2, wish: 'stopped' })
      assert.equal(third.seen, 'stopped')
      assert.notEqual(third.containerId, second.containerId)
      await ensure({ ...order, wish: 'absent' })
      const anew = await ensure({ ...order, buildEpoch: 3, wish: 'stopped' })
      assert.equal(anew.seen, 'stopped')
      await ensure({ ...order, wish: 'absent' })
    })

    await t.test('a resize keeps the container and its process', async () => {
      const order = anOrder(image)
      const first = await ensure(order)
      const bigger = { ...order, memoryMiB: 128, swapMiB: 16 }
      assert.deepEqual(
        [(await ensure(bigger)).startedAt, (await ensure(order)).containerId],
        [first.startedAt, first.containerId],
      )
      assert.equal((await ensure({ ...bigger, wish: 'stopped' })).seen, 'stopped')
      await ensure({ ...order, wish: 'absent' })
    })

    await t.test('NICs come and go, running, paused or stopped, and are still there after a restart', async () => {
      await networks(['qnet-n1', 'qnet001-n2', 'qnet002-n1'])
      const [one, two, three] = [aPort('p1', 'n1'), aPort('p2', 'n2', 1), aPort('p3', 'n1', 2)]
      const order = anOrder(image)
      const first = await ensure(order)
      const nics = async () => (await driver.diagnostics(order.serverId, signal)).nics.length
      for (const [ports, wish] of [
        [[one], 'running'],
        [[one, two, three], 'running'],
        [[two, three], 'paused'],
        [[two], 'running'],
        [[], 'running'],
        [[three], 'stopped'],
        [[one, three], 'stopped'],
        [[one, three], 'running'],
      ] as const) {
        const seen = await ensure({ ...order, ports, wish })
        assert.deepEqual([seen.seen, seen.containerId], [wish, first.containerId])
        if (wish === 'stopped') continue
        assert.equal(await nics(), ports.length, JSON.stringify(ports))
        if (wish === 'paused') continue
        assert.equal((await ensure({ ...order, ports }, { rebootFrom: seen.startedAt })).seen, 'running')
        assert.equal(await nics(), ports.length)
      }
      await ensure({ ...order, wish: 'absent' })
    })

    await t.test('a rescue stands in the place of a server, which comes back as it was', async () => {
      const order = anOrder(image)
      const rescue = { ...order, rescue: { image, command: null } }
      await assert.rejects(ensure(rescue), { kind: 'conflict', step: /rescue|inspect/ })
      const first = await ensure(order)
      const other = await ensure(rescue)
      assert.equal(other.seen, 'running')
      assert.notEqual(other.containerId, first.containerId)
      for (const wish of ['running', 'stopped', 'running'] as const) {
        const seen = await ensure({ ...rescue, wish })
        assert.deepEqual([seen.seen, seen.containerId], [wish, other.containerId])
        assert.deepEqual(await listed(order.serverId), {
          serverId: order.serverId,
          seen: wish,
          containerId: seen.containerId,
        })
        assert.equal((await driver.find(order.serverId, signal)).containerId, other.containerId)
      }
      const back = await ensure(order)
      assert.deepEqual([back.seen, back.containerId], ['running', first.containerId])
      await ensure({ ...rescue, wish: 'running' })
      assert.equal((await ensure({ ...rescue, wish: 'absent' })).seen, 'absent')
      assert.equal(await listed(order.serverId), undefined)
    })

    await t.test('a paused server can be removed', async () => {
      const order = anOrder(image)
      await ensure({ ...order, wish: 'paused' })
      assert.equal((await ensure({ ...order, wish: 'absent' })).seen, 'absent')
    })

    await t.test('what is wanted stopped and was never made stays absent', async () => {
      assert.equal((await ensure(anOrder(image, { wish: 'stopped' }))).seen, 'absent')
    })

    await t.test('a data path that fails leaves nothing and names the step', async () => {
      const order = anOrder(image, { ports: [aPort('p1', 'n1')] })
      const asked: unknown[] = []
      const plug: Plug = {
        async ready(...[portIds, names]) {
          asked.push([portIds, names])
          throw new CloudError('unavailable', 'no such port here')
        },
      }
      await assert.rejects(ensure(order, { plug }), { step: 'compute.create.connected', message: 'no such port here' })
      assert.deepEqual(asked, [[['p1'], ['qnet-n1']]])
      assert.equal((await driver.find(order.serverId, signal)).seen, 'absent')
    })

    await t.test('an order cut short leaves nothing', async () => {
      const order = anOrder(image, { ports: [aPort('p1', 'n1')] })
      const abort = new AbortController()
      const plug: Plug = {
        ready: (_p, _n, asked) =>
          new Promise((_, reject) => {
            asked.addEventListener('abort', () => reject(asked.reason))
            abort.abort()
          }),
      }
      await assert.rejects(driver.ensure(order, { ...plain, plug }, abort.signal), { name: 'AbortError' })
      assert.equal((await driver.find(order.serverId, signal)).seen, 'absent')
    })

    await t.test('questions about an absent server', async () => {
      await assert.rejects(driver.console(randomUUID(), null, signal), { kind: 'notFound' })
      await assert.rejects(driver.diagnostics(randomUUID(), signal), { kind: 'notFound' })
    })

    await t.test('diagnostics', async () => {
      const order = anOrder(image)
      await ensure(order)
      const running = await driver.diagnostics(order.serverId, signal)
      assert.equal(running.state, 'running')
      await ensure({ ...order, wish: 'stopped' })
      const stopped = await driver.diagnostics(order.serverId, signal)
      assert.equal(stopped.state, 'stopped')
      assert.ok(stopped.exit)
      await ensure({ ...order, wish: 'absent' })
    })

    await t.test('a snapshot is uploaded, and refused when there is no server', async (t) => {
      const target = await uploadTarget(t)
      const order = anOrder(image)
      await ensure(order)
      const said: string[] = []
      await driver.snapshot(target.order(order.serverId), (state) => said.push(state), signal)
      assert.deepEqual(said, ['committed', 'uploading', 'done'])
      assert.equal(target.received.length, 1)
      assert.equal(target.received[0]?.token, 'secret')
      assert.ok(target.received[0]!.bytes.length >= 1024)
      assert.equal(await driver.sweepSnapshots(new Set(), 0, signal), 0)
      await assert.rejects(
        driver.snapshot(target.order(randomUUID()), () => {}, signal),
        { kind: 'notFound' },
      )
      await ensure({ ...order, wish: 'absent' })
    })

    await t.test('changes begin with a resync and tell of each server', async () => {
      const stopping = new AbortController()
      const order = anOrder(image)
      const told: Change[] = []
      for await (const change of driver.changes(stopping.signal, assert.ifError)) {
        told.push(change)
        if (told.length === 1) await ensure(order)
        else {
          stopping.abort()
          break
        }
      }
      await setImmediate()
      assert.equal(told[0]?.kind, 'resync')
      assert.ok(told[1]?.kind === 'server' && told[1].serverId === order.serverId)
      await ensure({ ...order, wish: 'absent' })
    })
    assert.deepEqual(await driver.list(signal), [])
  })
}
