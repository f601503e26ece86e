import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CloudError } from '../errors.ts'
import { newLogger } from '../log.ts'
import { createLocalBus } from './local.ts'

const log = newLogger('silent')

test('messages arrive later, in order, as copies', async () => {
  const bus = createLocalBus(log)
  const seen: unknown[] = []
  bus.subscribe<{ n: number }>('a.b', (message) => void seen.push(message))
  const message = { n: 1, gone: undefined, at: new Date(0) }
  bus.publish('a.b', message)
  message.n = 2
  bus.publish('a.b', message)
  assert.deepEqual(seen, [])
  await bus.idle()
  const at = '1970-01-01T00:00:00.000Z'
  assert.deepEqual(seen, [
    { n: 1, at },
    { n: 2, at },
  ])
})

const patterns: [pattern: string, subject: string, heard: boolean][] = [
  ['host.n1.compute.order', 'host.n1.compute.order', true],
  ['host.*.compute.order', 'host.n1.compute.order', true],
  ['host.*.*.order', 'host.n1.compute.order', true],
  ['host.*', 'host.n1.compute', false],
  ['host.*.compute', 'host.compute', false],
  ['host.n1', 'host.n2', false],
]
for (const [pattern, subject, heard] of patterns) {
  test(`${pattern} ${heard ? 'hears' : 'does not hear'} ${subject}`, async () => {
    const bus = createLocalBus(log)
    const subjects: string[] = []
    bus.subscribe(pattern, (_message, on) => void subjects.push(on))
    bus.publish(subject, 1)
    await bus.idle()
    assert.deepEqual(subjects, heard ? [subject] : [])
  })
}

test('nobody hears anything after unsubscribing, and a failing handler stops no other', async () => {
  const bus = createLocalBus(log)
  const seen: string[] = []
  const leave = bus.subscribe('s', () => void seen.push('left'))
  bus.subscribe('s', async () => assert.fail('broken handler'))
  bus.subscribe('s', () => void seen.push('stayed'))
  bus.publish('s', 1)
  leave()
  await bus.idle()
  assert.deepEqual(seen, ['stayed'])
})

test('idle waits for handlers and for what they send', async () => {
  const bus = createLocalBus(log)
  let reports = 0
  bus.subscribe('order', async () => {
    await new Promise((resolve) => setImmediate(resolve))
    bus.publish('report', 1)
  })
  bus.subscribe('report', () => void reports++)
  bus.publish('order', 1)
  await bus.idle()
  assert.equal(reports, 1)
})

test('a request is answered, with an answer or with the error it means', async () => {
  const bus = createLocalBus(log)
  bus.respond<{ n: number }, { n: number }>('double', async ({ n }) => ({ n: n * 2 }))
  bus.respond('refuse', async () => {
    throw new CloudError('conflict', 'busy', { type: 'Busy' })
  })
  bus.respond('crash', async () => assert.fail('oops'))
  assert.deepEqual(await bus.request('double', { n: 21 }), { n: 42 })
  await assert.rejects(bus.request('refuse', {}), {
    name: 'CloudError',
    kind: 'conflict',
    message: 'busy',
    type: 'Busy',
  })
  await assert.rejects(bus.request('crash', {}), { kind: 'internal', message: 'oops' })
})

test('a request that nobody answers ends as unavailable, or when its signal says so', async () => {
  const bus = createLocalBus(log)
  await assert.rejects(bus.request('nobody', {}), { kind: 'unavailable' })
  bus.respond('slow', () => new Promise(() => {}))
  await assert.rejects(bus.request('slow', {}, { timeoutMs: 5 }), { kind: 'unavailable' })
  const abort = new AbortController()
  const request = bus.request('slow', {}, { signal: abort.signal })
  setImmediate(() => abort.abort(new Error('changed my mind')))
  await assert.rejects(request, /changed my mind/)
})

test('what cannot cross a wire is refused at once', () => {
  const bus = createLocalBus(log)
  assert.throws(() => bus.publish('s', undefined), /JSON/)
  assert.throws(() => bus.publish('s', { n: 1n }), /BigInt/)
  for (const subject of ['', 'a.*', 'a b', '.a', 'a..b', 'a.'])
    assert.throws(() => bus.publish(subject, 1), /no subject/)
})
