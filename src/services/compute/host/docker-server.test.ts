import assert from 'node:assert/strict'
import test from 'node:test'
import { temporaryDirectory } from '../../../../test/support/databases.ts'
import { startEngine } from '../../../../test/support/engine.ts'
import * as containers from '../../../machine/docker/containers.ts'
import { exec } from '../../../machine/docker/exec.ts'
import * as images from '../../../machine/docker/images.ts'
import * as networks from '../../../machine/docker/networks.ts'
import type { ServerOrder } from '../messages.ts'
import { containerName } from './container-spec.ts'
import { dockerDriver } from './docker.ts'
import { anOrder, aPort, noPlug, uploadTarget } from './driver-suite.ts'

test('servers on an engine', async (t) => {
  const signal = AbortSignal.timeout(240_000)
  const { engine, socketPath, busybox } = await startEngine(t, { ownNetwork: true })
  const driver = dockerDriver({ socketPath, cloudId: 'c1', configDrives: await temporaryDirectory(t) })
  t.after(() => driver.close())
  const image = { imageId: 'i1', reference: 'unused', configDigest: busybox, pullToken: 't' }
  const ensure = (order: ServerOrder, rebootFrom: string | null = null) =>
    driver.ensure(order, { rebootFrom, plug: noPlug }, signal)
  const ended = async (serverId: string) => {
    await containers.wait(engine, containerName(serverId), 'not-running', signal)
    return driver.find(serverId, signal)
  }

  await t.test('how the first process ended, and its last words', async () => {
    const order = anOrder(image, {
      command: ['sh', '-c', 'echo hello; echo $GREETING; exit 3'],
      environment: { GREETING: 'hi' },
    })
    await ensure(order)
    const { seen, exit } = await ended(order.serverId)
    assert.equal(seen, 'stopped')
    assert.deepEqual(exit, { code: 3, outOfMemory: false, lastOutput: 'hello\nhi' })
    assert.equal(await driver.console(order.serverId, 1, signal), 'hi\n')
    assert.equal(await driver.console(order.serverId, null, signal), 'hello\nhi\n')
    await ensure({ ...order, wish: 'absent' })
  })

  await t.test('a command that is not there fails the start, and nothing is left', async () => {
    const order = anOrder(image, { command: ['/no/such'] })
    await assert.rejects(ensure(order), { step: 'compute.create.started', message: /no such file/ })
    assert.deepEqual(await driver.list(signal), [])
  })

  await t.test('a resize gives a running container its new limits', async () => {
    const order = anOrder(image)
    await ensure(order)
    await ensure({ ...order, memoryMiB: 96, swapMiB: 32 })
    const { HostConfig } = await containers.inspect(engine, containerName(order.serverId), signal)
    assert.equal(HostConfig.Memory, 96 * 1024 ** 2)
    await ensure({ ...order, wish: 'absent' })
  })

  await t.test('a shell, which heeds no signal, is stopped and restarted at once', async () => {
    const order = anOrder(image, { bootKind: 'soft' })
    const first = await ensure(order)
    const before = performance.now()
    const second = await ensure(order, first.startedAt)
    assert.notEqual(second.startedAt, first.startedAt)
    await ensure({ ...order, wish: 'stopped' })
    assert.ok(performance.now() - before < 9000, 'no grace period was waited for')
    await ensure({ ...order, wish: 'absent' })
  })

  await t.test('a process with a handler is given its time', async () => {
    const script = 'trap "echo bye; exit 7" TERM; echo up; while true; do sleep 0.1; done'
    const order = anOrder(image, { command: ['sh', '-c', script] })
    await ensure(order)
    for (;;) if ((await driver.console(order.serverId, null, signal)).includes('up')) break
    const { exit } = await ensure({ ...order, wish: 'stopped' })
    assert.deepEqual(exit, { code: 7, outOfMemory: false, lastOutput: 'up\nbye' })
    await ensure({ ...order, wish: 'absent' })
  })

  await t.test("somebody else's container is left alone", async () => {
    const order = anOrder(image)
    const spec = { Image: busybox, HostConfig: { NetworkMode: 'none' }, Labels: { 'io.berth.cloud': 'c2' } }
    const id = await containers.create(engine, containerName(order.serverId), spec, signal)
    await assert.rejects(ensure(order), { kind: 'conflict', message: /left alone/ })
    assert.equal((await ensure({ ...order, wish: 'absent' })).seen, 'absent')
    assert.deepEqual(await driver.list(signal), [])
    assert.equal((await containers.inspect(engine, id, signal)).State.Status, 'created')
    await containers.remove(engine, id, signal)
  })

  await t.test('what a broken create left is made anew', async () => {
    const order = anOrder(image)
    const spec = { Image: busybox, HostConfig: { NetworkMode: 'none' }, Labels: { 'io.berth.cloud': 'c1' } }
    const id = await containers.create(engine, containerName(order.serverId), spec, signal)
    const seen = await ensure(order)
    assert.equal(seen.seen, 'running')
    assert.notEqual(seen.containerId, id)
    await ensure({ ...order, wish: 'absent' })
  })

  await t.test('a NIC for each port, also when a network was made anew', async () => {
    const make = async (name: string, third: number) => {
      const IPAM = { Config: [{ Subnet: `10.77.${third}.0/24` }] }
      await networks.create(engine, { Name: name, Driver: 'bridge', IPAM }, signal)
    }
    for (const [i, name] of ['qnet-b', 'qnet001-a', 'qnet002-b'].entries()) await make(name, i)
    const order = anOrder(image, { ports: [aPort('p1', 'b'), aPort('p2', 'a', 1), aPort('p3', 'b', 2)] })
    const { containerId } = await ensure(order)
    const nics = async () => (await driver.diagnostics(order.serverId, signal)).nics
    const { NetworkSettings } = await containers.inspect(engine, containerId!, signal)
    const macs = Object.values(NetworkSettings.Networks ?? {}).map(({ MacAddress }) => MacAddress)
    assert.equal(macs.length, 3)
    assert.deepEqual((await nics()).map(({ macAddress }) => macAddress).sort(), macs.sort())
    await ensure({ ...order, wish: 'stopped' })
    for (const [name, third] of [
      ['qnet-b', 0],
      ['qnet002-b', 2],
    ] as const) {
      await networks.remove(engine, name, signal)
      await make(name, third)
    }
    assert.equal((await ensure(order)).containerId, containerId)
    assert.equal((await nics()).length, 3)
    await ensure({ ...order, wish: 'absent' })
  })

  await t.test("a rescue has the server's files at /mnt, and the server what it changed there", async () => {
    const script = 'cat /root/mended; echo broken > /root/state; echo up; sleep 1000'
    const order = anOrder(image, { command: ['sh', '-c', script] })
    const says = async (text: string) => {
      while (!(await driver.console(order.serverId, null, signal)).includes(text));
    }
    await ensure(order)
    await says('up')
    const command = ['sh', '-c', 'cat /mnt/root/state; echo by-the-rescue > /mnt/root/mended; echo done; sleep 1000']
    await ensure({ ...order, rescue: { image, command } })
    await says('broken')
    await says('done')
    await ensure(order)
    await says('by-the-rescue')
    await ensure({ ...order, wish: 'absent' })
    const { Volumes } = await engine.json<{ Volumes: object[] }>('GET', '/volumes', { signal })
    assert.deepEqual(Volumes ?? [], [])
  })

  await t.test("root's password is set with the image's own tools, and refused where there are none", async () => {
    const accounts =
      'mkdir -p /etc; echo root:x:0:0:root:/root:/bin/sh > /etc/passwd; echo root:*:1:::::: > /etc/shadow'
    const order = anOrder(image, { command: ['sh', '-c', `${accounts}; echo ready; sleep 1000`] })
    await ensure(order)
    while (!(await driver.console(order.serverId, null, signal)).includes('ready'));
    await driver.setPassword(order.serverId, "it's $ecret", signal)
    const { output } = await exec(
      engine,
      containerName(order.serverId),
      { command: ['cat', '/etc/shadow'], environment: [], user: '0' },
      signal,
    )
    assert.match(output, /^root:\$\d\$[^:]{20,}:/)
    await ensure({ ...order, wish: 'paused' })
    await assert.rejects(driver.setPassword(order.serverId, 'x', signal), { kind: 'conflict' })
    await ensure({ ...order, wish: 'absent' })
    const bare = anOrder(image)
    await ensure(bare)
    await assert.rejects(driver.setPassword(bare.serverId, 'x', signal), {
      kind: 'conflict',
      message: /could not be set/,
    })
    await ensure({ ...bare, wish: 'absent' })
  })

  await t.test('a snapshot boots with what was written, and carries no label of ours', async (t) => {
    const target = await uploadTarget(t)
    const order = anOrder(image, { command: ['sh', '-c', 'echo kept > /kept; echo done; sleep 1000'] })
    await ensure(order)
    for (;;) if ((await driver.console(order.serverId, null, signal)).includes('done')) break
    await driver.snapshot(target.order(order.serverId), () => {}, signal)
    const [id] = await images.load(engine, target.received[0]!.bytes, signal)
    const { Config } = await engine.json<{ Config: containers.Container['Config'] }>('GET', `/images/${id}/json`, {
      signal,
    })
    assert.deepEqual([...new Set(Object.values(Config.Labels ?? {}))], [''])
    const copy = anOrder({ ...image, configDigest: id! }, { command: ['cat', '/kept'] })
    await ensure(copy)
    assert.equal((await ended(copy.serverId)).exit?.lastOutput, 'kept')
    for (const one of [order, copy]) await ensure({ ...one, wish: 'absent' })
  })

  await t.test('a snapshot broken off is taken up again, or swept away', async (t) => {
    const target = await uploadTarget(t, 409) // uploaded before: the image is active
    const wanted = target.order(anOrder(image).serverId)
    const leave = async (tag: string) => {
      const id = await containers.create(engine, tag, { Image: busybox, HostConfig: { NetworkMode: 'none' } }, signal)
      await containers.commit(engine, id, { repo: 'berth-snapshot/c1', tag, labels: {}, signal })
      await containers.remove(engine, id, signal)
    }
    await leave(wanted.snapshotId)
    const said: string[] = []
    await driver.snapshot(wanted, (state) => said.push(state), signal)
    assert.deepEqual(said, ['committed', 'uploading', 'done'])
    await leave('left')
    assert.equal(await driver.sweepSnapshots(new Set(), 60_000, signal), 0)
    assert.equal(await driver.sweepSnapshots(new Set(['left']), 0, signal), 0)
    assert.equal(await driver.sweepSnapshots(new Set(), 0, signal), 1)
    assert.deepEqual(await images.listTagged(engine, 'berth-snapshot/c1:*', signal), [])
  })

  await t.test('too little memory is an answer in words', async () => {
    await assert.rejects(ensure(anOrder(image, { memoryMiB: 1 })), {
      kind: 'badRequest',
      step: 'compute.create.created',
      message: /memory/i,
    })
  })
})
