import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Server } from '../db/servers.ts'
import type { ServerReport } from '../messages.ts'
import { type Settled, settle } from './settle.ts'

const now = { at: '2026-11-21T02:00:00.000000Z', ms: Date.parse('2026-11-21T02:00:00Z') }

/** Just created, its order under way, unless told otherwise. */
const server = (more: Partial<Server> = {}): Server =>
  ({
    ...{ id: 's', host: 'host1', vmState: 'building', taskState: 'spawning', powerState: 0, wish: 'running' },
    ...{ generation: 1, seenGeneration: 0, tries: 0, retryAtMs: null, containerId: null, launchedAt: null },
    ...{ fault: null, exit: null, actionId: 'a' },
    ...more,
  }) as Server

const active = (more: Partial<Server> = {}): Server =>
  server({
    ...{ vmState: 'active', taskState: null, powerState: 1, seenGeneration: 1, containerId: 'c', launchedAt: now.at },
    ...more,
  })

const report = (more: Partial<ServerReport> = {}): ServerReport => ({
  ...{ host: 'host1', serverId: 's', generation: 1, seen: 'running', containerId: 'c', startedAt: now.at },
  ...{ exit: null, error: null },
  ...more,
})

const exit = { code: 3, outOfMemory: false, lastOutput: 'no such file' }
const patchOf = (settled: Settled) => (settled.kind === 'changed' ? settled.patch : assert.fail(settled.kind))

test('the order is carried out', () => {
  const settled = settle(server(), report(), false, now)
  const patch = patchOf(settled)
  assert.deepEqual(
    [patch.vmState, patch.powerState, patch.taskState, patch.seenGeneration, patch.containerId, patch.launchedAt],
    ['active', 1, null, 1, 'c', now.at],
  )
  assert.deepEqual(settled.kind === 'changed' && settled.finished, { problem: null })
})

test('late, doubled and foreign reports change nothing', () => {
  assert.equal(settle(active({ generation: 2 }), report({ seen: 'stopped' }), false, now).kind, 'nothing')
  assert.equal(settle(active(), report(), false, now).kind, 'nothing')
  assert.equal(settle(active(), report(), true, now).kind, 'nothing')
  const failure = { step: 'x', message: 'late', temporary: false }
  assert.equal(settle(active(), report({ error: failure }), false, now).kind, 'nothing')
})

test('one that ends by itself is SHUTOFF and stays down, with its last words', () => {
  const patch = patchOf(settle(active(), report({ seen: 'stopped', exit }), false, now))
  assert.deepEqual([patch.vmState, patch.wish, patch.generation, patch.powerState], ['stopped', 'stopped', 2, 4])
  assert.deepEqual(patch.exit, exit)
  assert.match(patch.fault?.message ?? '', /code 3/)
  assert.equal(patch.fault?.details, 'no such file')
  const fine = patchOf(settle(active(), report({ seen: 'stopped', exit: { ...exit, code: 0 } }), false, now))
  assert.equal(fine.fault, null)
})

test('one found down when the host comes up is started again, one not found is made again', () => {
  assert.equal(patchOf(settle(active(), report({ seen: 'stopped', exit }), true, now)).seenGeneration, 0)
  assert.equal(patchOf(settle(active(), report({ seen: 'absent' }), true, now)).seenGeneration, 0)
  assert.equal(patchOf(settle(active(), report({ seen: 'absent' }), false, now)).seenGeneration, 0)
})

test('a host that forgot what it did is told again; one that knows more than the database is overruled', () => {
  assert.equal(settle(active({ generation: 3, seenGeneration: 3 }), report(), false, now).kind, 'nothing')
  assert.equal(patchOf(settle(active({ generation: 3, seenGeneration: 3 }), report(), true, now)).seenGeneration, 2)
  assert.equal(patchOf(settle(active(), report({ generation: 7 }), false, now)).generation, 8)
})

test('what may pass by itself is tried again with growing pauses, then given up with a fault', () => {
  const error = { step: 'compute.create.pulled', message: 'the registry is away', temporary: true }
  const pauses: (number | null)[] = []
  let row = server()
  for (;;) {
    const settled = settle(row, report({ seen: 'absent', error, containerId: null }), false, now)
    row = { ...row, ...patchOf(settled) }
    if (row.vmState === 'error') break
    pauses.push(settled.kind === 'changed' ? settled.retryInMs : null)
  }
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000])
  assert.deepEqual([row.taskState, row.seenGeneration, row.fault?.message], [null, 1, error.message])
  assert.match(row.fault?.details ?? '', /compute.create.pulled/)
})

test('what will not pass is a fault at once, with exit code and last output', () => {
  const error = { step: 'compute.create.started', message: 'it ended at once', temporary: false }
  const patch = patchOf(settle(server(), report({ seen: 'stopped', exit, error }), false, now))
  assert.equal(patch.vmState, 'error')
  assert.match(patch.fault?.details ?? '', /code 3[\s\S]*no such file/)
})

test('a delete is never given up', () => {
  const deleting = active({ wish: 'absent', generation: 2, taskState: 'deleting' })
  assert.equal(settle(deleting, report({ generation: 2, seen: 'absent' }), false, now).kind, 'gone')
  const error = { step: 'compute.delete.removed', message: 'device busy', temporary: false }
  const settled = settle(deleting, report({ generation: 2, error }), false, now)
  const patch = patchOf(settled)
  assert.deepEqual([patch.vmState, patch.seenGeneration, patch.retryAtMs], ['error', undefined, now.ms + 1000])
})

test('a snapshot under way keeps its task', () => {
  const patch = patchOf(settle(active({ taskState: 'image_uploading' }), report({ seen: 'stopped', exit }), false, now))
  assert.equal(patch.taskState, 'image_uploading')
})
