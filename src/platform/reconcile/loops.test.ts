import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../clock.ts'
import { newLogger } from '../log.ts'
import { createLoops } from './loops.ts'
import type { Reconciler } from './reconciler.ts'

/** A loop whose rounds the test ends by hand. */
function steered(name = 'test.steered') {
  const rounds: PromiseWithResolvers<Record<string, number>>[] = []
  let started: PromiseWithResolvers<void> = Promise.withResolvers()
  const reconciler: Reconciler = {
    name,
    everySeconds: 3600,
    run(signal) {
      const round = Promise.withResolvers<Record<string, number>>()
      signal.addEventListener('abort', () => round.reject(signal.reason))
      rounds.push(round)
      started.resolve()
      return round.promise
    },
  }
  const nextStart = async () => {
    await started.promise
    started = Promise.withResolvers()
  }
  return { reconciler, rounds, nextStart }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('nudges during a round cause exactly one more', async () => {
  const loops = createLoops(newLogger('silent'), systemClock)
  const { reconciler, rounds, nextStart } = steered()
  loops.add(reconciler)
  loops.nudge(reconciler.name)
  assert.equal(rounds.length, 0, 'not before start')
  loops.start()
  await nextStart()
  for (let i = 0; i < 5; i++) loops.nudge(reconciler.name)
  rounds[0]!.resolve({})
  await nextStart()
  rounds[1]!.resolve({ sent: 2 })
  await turn()
  assert.equal(rounds.length, 2)
  const [status] = loops.status()
  assert.deepEqual([status?.rounds, status?.lastResult, status?.lastError], [2, { sent: 2 }, null])
  loops.nudge(reconciler.name)
  await nextStart()
  await loops.stop()
})

test('the period brings a loop round by itself, also after an error, which is logged once', async () => {
  const lines: string[] = []
  const log = newLogger('error', { write: (line) => void lines.push(line) })
  const loops = createLoops(log, systemClock)
  const enough = Promise.withResolvers<void>()
  let rounds = 0
  loops.add({
    name: 'test.broken',
    everySeconds: 0.001,
    async run() {
      if (++rounds === 5) enough.resolve()
      throw new Error('engine away')
    },
  })
  loops.start()
  await enough.promise
  await loops.stop()
  assert.equal(loops.status()[0]?.lastError, 'engine away')
  assert.equal(lines.length, 1)
})

test('stop aborts the round under way, waits for it, and calls that no error', async () => {
  const loops = createLoops(newLogger('silent'), systemClock)
  const { reconciler, nextStart } = steered()
  loops.add(reconciler)
  loops.start()
  await nextStart()
  await loops.stop()
  assert.equal(loops.status()[0]?.lastError, null)
})

test('settle runs all loops until none finds anything to do', async () => {
  const loops = createLoops(newLogger('silent'), systemClock)
  let wishes = 3
  let orders = 0
  loops.add({ name: 'test.orders', everySeconds: 3600, run: async () => ({ done: orders > 0 ? orders-- : 0 }) })
  loops.add({
    name: 'test.wishes',
    everySeconds: 3600,
    async run() {
      if (wishes === 0) return { sent: 0 }
      wishes--
      orders++
      return { sent: 1 }
    },
  })
  await loops.settle()
  assert.deepEqual([wishes, orders], [0, 0])
})

test('settle passes on what a loop threw', async () => {
  const loops = createLoops(newLogger('silent'), systemClock)
  loops.add({ name: 'test.broken', everySeconds: 3600, run: async () => assert.fail('broken') })
  await assert.rejects(loops.settle(), /broken/)
})

test('two loops of one name are refused', () => {
  const loops = createLoops(newLogger('silent'), systemClock)
  loops.add(steered().reconciler)
  assert.throws(() => loops.add(steered().reconciler), /test\.steered/)
})
