import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Task } from '../../../../test/support/compute-host.ts'
import { startEngine } from '../../../../test/support/engine.ts'
import { startRegistry } from '../../../../test/support/registry.ts'
import * as containers from '../../../machine/docker/containers.ts'
import * as images from '../../../machine/docker/images.ts'
import * as networks from '../../../machine/docker/networks.ts'
import type { ServerReport, SnapshotReport } from '../messages.ts'
import { anOrder, aPort, uploadTarget } from './driver-suite.ts'

const program = fileURLToPath(new URL('../../../../test/support/compute-host.ts', import.meta.url))

/** Runs a host for one task. Returns its report, or null when it died of the fault. */
async function hostRun<T>(task: Task): Promise<T | null> {
  const child = spawn(process.execPath, [program, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const output = child.stdout.toArray()
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (signal === 'SIGKILL') return null
  assert.equal(code, 0)
  return JSON.parse(Buffer.concat(await output).toString()) as T
}

test('a host killed at any step finishes it after the next start', async (t) => {
  const signal = AbortSignal.timeout(300_000)
  const { engine, socketPath } = await startEngine(t)
  const { reference, configDigest } = await startRegistry(t, 'token')
  const stateDir = await mkdtemp(join(tmpdir(), 'berth-crash-'))
  t.after(() => rm(stateDir, { recursive: true, force: true }))
  const image = { imageId: 'i1', reference, configDigest, pullToken: 'token' }
  const base = { socketPath, stateDir, cloudId: 'c1' }
  const ours = () => containers.list(engine, ['io.berth.cloud=c1'], signal)

  for (const step of ['pulled', 'begun', 'created', 'connected', 'started', 'reported'])
    await t.test(`create.${step}`, async () => {
      const message = anOrder(image)
      const task = { ...base, kind: 'order' as const, message }
      assert.equal(await hostRun({ ...task, fault: `compute.create.${step}` }), null)
      const report = await hostRun<ServerReport>({ ...task, fault: null })
      assert.deepEqual([report?.seen, report?.error], ['running', null])
      const found = await ours()
      assert.deepEqual(
        found.map(({ Id, State }) => [Id, State]),
        [[report?.containerId, 'running']],
      )
      await hostRun({ ...task, message: { ...message, generation: 2, wish: 'absent' }, fault: null })
      assert.deepEqual(await ours(), [])
    })

  for (const step of ['begun', 'removed'])
    await t.test(`delete.${step}`, async () => {
      const message = anOrder(image)
      const task = { ...base, kind: 'order' as const }
      await hostRun({ ...task, message, fault: null })
      const removal = { ...task, message: { ...message, generation: 2, wish: 'absent' } }
      assert.equal(await hostRun({ ...removal, fault: `compute.delete.${step}` }), null)
      assert.equal((await hostRun<ServerReport>({ ...removal, fault: null }))?.seen, 'absent')
      assert.deepEqual(await ours(), [])
      assert.deepEqual(await readdir(join(stateDir, 'host', 'servers')), [])
    })

  for (const step of ['committed', 'uploaded', 'removed'])
    await t.test(`snapshot.${step}`, async (t) => {
      const server = anOrder(image)
      await hostRun({ ...base, kind: 'order', message: server, fault: null })
      const target = await uploadTarget(t)
      const task = { ...base, kind: 'snapshot' as const, message: target.order(server.serverId) }
      assert.equal(await hostRun({ ...task, fault: `compute.snapshot.${step}` }), null)
      assert.equal((await hostRun<SnapshotReport>({ ...task, fault: null }))?.state, 'done')
      assert.ok(target.received.length >= 1)
      assert.deepEqual(await images.listTagged(engine, 'berth-snapshot/*', signal), [])
      await hostRun({ ...base, kind: 'order', message: { ...server, generation: 2, wish: 'absent' }, fault: null })
    })
})

test('a rescue that the kill of its host broke off is made, or ended, after the next start', async (t) => {
  const signal = AbortSignal.timeout(120_000)
  const { engine, socketPath, busybox } = await startEngine(t, { ownNetwork: true })
  const stateDir = await mkdtemp(join(tmpdir(), 'berth-crash-'))
  t.after(() => rm(stateDir, { recursive: true, force: true }))
  const image = { imageId: 'i1', reference: 'unused', configDigest: busybox, pullToken: 't' }
  const task = { socketPath, stateDir, cloudId: 'c1', kind: 'order' as const }
  const message = anOrder(image)
  const own = (await hostRun<ServerReport>({ ...task, message, fault: null }))?.containerId
  const rescue = { ...task, message: { ...message, generation: 2, rescue: { image, command: null } } }
  assert.equal(await hostRun({ ...rescue, fault: 'compute.rescue.mounted' }), null)
  const made = await hostRun<ServerReport>({ ...rescue, fault: null })
  assert.deepEqual([made?.seen, made?.error, made?.containerId === own], ['running', null, false])
  const unrescue = { ...task, message: { ...message, generation: 3 } }
  assert.equal(await hostRun({ ...unrescue, fault: 'compute.rescue.ended' }), null)
  const back = await hostRun<ServerReport>({ ...unrescue, fault: null })
  assert.deepEqual([back?.seen, back?.error, back?.containerId], ['running', null, own])
  const { Volumes } = await engine.json<{ Volumes: object[] }>('GET', '/volumes', { signal })
  assert.deepEqual(Volumes ?? [], [])
  await hostRun({ ...task, message: { ...message, generation: 4, wish: 'absent' }, fault: null })
})

test('a NIC on its way in or out when the host was killed is where it was wanted after the next start', async (t) => {
  const signal = AbortSignal.timeout(120_000)
  const { engine, socketPath, busybox } = await startEngine(t, { ownNetwork: true })
  const IPAM = { Config: [{ Subnet: '10.78.0.0/24' }] }
  await networks.create(engine, { Name: 'qnet-n1', Driver: 'bridge', IPAM }, signal)
  const stateDir = await mkdtemp(join(tmpdir(), 'berth-crash-'))
  t.after(() => rm(stateDir, { recursive: true, force: true }))
  const image = { imageId: 'i1', reference: 'unused', configDigest: busybox, pullToken: 't' }
  const base = { socketPath, stateDir, cloudId: 'c1' }

  for (const step of ['attach.connected', 'detach.disconnected'])
    await t.test(step, async () => {
      const message = anOrder(image, { ports: step.startsWith('detach') ? [aPort('p1', 'n1')] : [] })
      const task = { ...base, kind: 'order' as const }
      await hostRun({ ...task, message, fault: null })
      const ports = step.startsWith('detach') ? [] : [aPort('p1', 'n1')]
      const changed = { ...task, message: { ...message, generation: 2, ports } }
      assert.equal(await hostRun({ ...changed, fault: `compute.${step}` }), null)
      const report = await hostRun<ServerReport>({ ...changed, fault: null })
      assert.deepEqual([report?.seen, report?.error], ['running', null])
      const { NetworkSettings } = await containers.inspect(engine, report!.containerId!, signal)
      const joined = Object.keys(NetworkSettings.Networks ?? {})
      assert.deepEqual(joined, [ports.length > 0 ? 'qnet-n1' : 'none'])
      await hostRun({ ...task, message: { ...message, generation: 3, wish: 'absent' }, fault: null })
    })
})
