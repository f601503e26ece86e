import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { temporaryDirectory } from '../../../../test/support/databases.ts'
import { startEngine } from '../../../../test/support/engine.ts'
import * as containers from '../../../machine/docker/containers.ts'
import { exec } from '../../../machine/docker/exec.ts'
import type { ServerOrder } from '../messages.ts'
import { containerName } from './container-spec.ts'
import { dockerDriver } from './docker.ts'
import { anOrder, noPlug } from './driver-suite.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')

test('what a server finds in itself', async (t) => {
  const signal = AbortSignal.timeout(240_000)
  const { engine, socketPath, busybox } = await startEngine(t, {
    ownNetwork: true,
    flags: ['--userns-remap=default'],
  })
  const configDrives = await temporaryDirectory(t)
  const driver = dockerDriver({ socketPath, cloudId: 'c1', configDrives })
  t.after(() => driver.close())
  const image = { imageId: 'i1', reference: 'unused', configDigest: busybox, pullToken: 't' }
  const ensure = (order: ServerOrder) => driver.ensure(order, { rebootFrom: null, plug: noPlug }, signal)
  const run = async (serverId: string, script: string) => {
    const wanted = { command: ['sh', '-c', script], environment: [], user: '' }
    return (await exec(engine, containerName(serverId), wanted, signal)).output.replaceAll('\r', '').trim()
  }

  await t.test('its config drive, which it cannot write to, and which goes with it', async () => {
    const drive = {
      contents: [base64('{"uuid":"1"}'), base64('data')],
      files: [
        ['openstack/latest/meta_data.json', 0],
        ['openstack/2020-10-14/meta_data.json', 0],
        ['openstack/latest/user_data', 1],
        ['../../outside', 1],
      ] as const,
    }
    const order = anOrder(image, { configDrive: drive })
    await ensure(order)
    assert.equal(await run(order.serverId, 'cat /mnt/config/openstack/latest/meta_data.json'), '{"uuid":"1"}')
    const seed = '/var/lib/cloud/seed/config_drive/openstack/latest/user_data'
    assert.equal(await run(order.serverId, `cat ${seed}`), 'data')
    assert.match(await run(order.serverId, 'echo x > /mnt/config/openstack/x'), /Read-only file system/)
    assert.ok(existsSync(join(configDrives, order.serverId, 'outside')), 'no path leads out of its folder')
    await ensure({ ...order, buildEpoch: 1, configDrive: { contents: [base64('new')], files: [['new', 0]] } })
    assert.equal(await run(order.serverId, 'ls /mnt/config'), 'new')
    await ensure({ ...order, wish: 'absent' })
    assert.equal(existsSync(join(configDrives, order.serverId)), false)
  })

  await t.test('files put into it before its first instruction', async () => {
    const files = [
      { path: '/etc/deep/motd', contents: base64('hello\n') },
      { path: 'root/../../../root/up', contents: base64('inside') },
    ]
    const order = anOrder(image, { files, command: ['sh', '-c', 'cat /etc/deep/motd /root/up; ls -ln /etc/deep; sh'] })
    await ensure(order)
    assert.equal(await run(order.serverId, 'cat /etc/deep/motd /root/up'), 'hello\ninside')
    assert.match(await driver.console(order.serverId, null, signal), /^hello\ninside/)
    assert.match(await run(order.serverId, 'ls -ln /etc/deep/motd'), /^-rw-r--r-- +1 0 +0 /)
    await ensure({ ...order, wish: 'absent' })
  })

  await t.test('an end for want of memory is told as that', async () => {
    const command = ['sh', '-c', 'echo begun; x=a; while true; do x=$x$x; done']
    const order = anOrder(image, { memoryMiB: 16, command })
    await ensure(order)
    await containers.wait(engine, containerName(order.serverId), 'not-running', signal)
    const { seen, exit } = await driver.find(order.serverId, signal)
    assert.equal(seen, 'stopped')
    assert.deepEqual(exit, { code: 137, outOfMemory: true, lastOutput: 'begun' })
    await ensure({ ...order, wish: 'absent' })
  })

  await t.test('a stranger’s container is not ours, whatever its name', async () => {
    const order = anOrder(image)
    const foreign = await containers.create(
      engine,
      'foreign',
      { Image: busybox, Cmd: ['sh'], Tty: true, OpenStdin: true },
      signal,
    )
    const named = anOrder(image)
    const taken = await containers.create(engine, containerName(named.serverId), { Image: busybox, Tty: true }, signal)
    await ensure(order)
    assert.deepEqual(
      (await driver.list(signal)).map(({ serverId }) => serverId),
      [order.serverId],
    )
    await assert.rejects(driver.find(named.serverId, signal), { kind: 'conflict', message: /left alone/ })
    await assert.rejects(ensure(named), { kind: 'conflict' })
    await ensure({ ...named, wish: 'absent' })
    await ensure({ ...order, wish: 'absent' })
    await driver.sweepSnapshots(new Set(), 0, signal)
    for (const id of [foreign, taken]) assert.equal((await containers.inspect(engine, id, signal)).Id, id)
  })
})
