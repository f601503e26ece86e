import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startComputeCloud } from '../../../../test/support/compute.ts'
import { temporaryDirectory } from '../../../../test/support/databases.ts'
import { startEngine, type TestEngine } from '../../../../test/support/engine.ts'
import * as containers from '../../../machine/docker/containers.ts'
import * as images from '../../../machine/docker/images.ts'
import { dockerDriver } from './docker.ts'

test('a server takes what it has written along to another engine, and back', async (t) => {
  const signal = AbortSignal.timeout(240_000)
  const engines = [await startEngine(t), await startEngine(t)] as const
  const configDrives = await temporaryDirectory(t)
  const drivers = engines.map(({ socketPath }) => dockerDriver({ socketPath, cloudId: '0000cafe', configDrives }))
  t.after(async () => {
    for (const driver of drivers) await driver.close()
  })
  const cloud = await startComputeCloud(t, { hosts: [], engines: drivers })
  const admin = cloud.as('admin')
  const wanted = { name: 'shell', container_format: 'docker', disk_format: 'raw' }
  const command = 'sh -c "date +%N >> /root/starts; cat /root/starts; echo up; sleep 1000"'
  const made = await admin.post('image', '/v2/images', { ...wanted, os_command_line: command })
  const archive = Buffer.concat(await (await images.save(engines[0].engine, engines[0].busybox, signal)).toArray())
  assert.equal((await admin.put('image', `/v2/images/${made.body.id}/file`, archive)).status, 204)

  const id = await cloud.boot('admin', { imageRef: made.body.id, host: 'host1' })
  const reached = (status: string) => cloud.until(async () => (await cloud.show('admin', id)).status === status)
  const starts = async (driver: (typeof drivers)[number]) => {
    for (;;) {
      const lines = (await driver.console(id, null, signal)).trim().split(/\r?\n/)
      if (lines.at(-1) === 'up') return lines.length - 1
    }
  }
  const states = async ({ engine }: TestEngine) => (await containers.list(engine, [], signal)).map(({ State }) => State)
  await reached('ACTIVE')
  assert.equal(await starts(drivers[0]!), 1)

  assert.equal((await cloud.act('admin', id, { migrate: null })).status, 202)
  await reached('VERIFY_RESIZE')
  assert.equal(await starts(drivers[1]!), 2, 'the file of the first start went along')
  assert.deepEqual([await states(engines[0]), await states(engines[1])], [['exited'], ['running']])
  assert.equal((await cloud.act('admin', id, { revertResize: null })).status, 202)
  await reached('ACTIVE')
  await cloud.until(async () => (await states(engines[1])).length === 0)

  assert.equal((await cloud.act('admin', id, { migrate: { host: 'host2' } })).status, 202)
  await reached('VERIFY_RESIZE')
  assert.equal((await cloud.act('admin', id, { confirmResize: null })).status, 204)
  await cloud.until(async () => (await states(engines[0])).length === 0)
  assert.equal(await starts(drivers[1]!), 3)
  assert.equal((await admin.delete('compute', `/v2.1/servers/${id}`)).status, 204)
  await cloud.until(async () => (await states(engines[1])).length === 0)
})
