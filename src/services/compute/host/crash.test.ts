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
import type { ServerReport, SnapshotReport } from '../messages.ts'
import { anOrder, uploadTarget } from './driver-suite.ts'

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
