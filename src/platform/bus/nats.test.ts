import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporaryDirectory } from '../../../test/support/databases.ts'
import { claimPortBase } from '../../../test/support/ports.ts'
import { CloudError } from '../errors.ts'
import { newLogger } from '../log.ts'
import { natsBus } from './nats.ts'
import { openNats } from './nats-connection.ts'
import { natsServerConfig } from './nats-server.ts'

const log = newLogger('silent')

async function server(t: TestContext) {
  const port = 4222 + (await claimPortBase(t))
  const file = join(await temporaryDirectory(t), 'nats.conf')
  const users = [
    { name: 'control', password: 'c', host: null },
    { name: 'h1', password: '1', host: 'h1.example' },
    { name: 'h2', password: '2', host: 'h2' },
  ]
  await writeFile(file, natsServerConfig({ host: '127.0.0.1', port }, users))
  const start = () => {
    const child = spawn('nats-server', ['-c', file], { stdio: 'ignore' })
    const end = async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    t.after(end)
    return end
  }
  const urlOf = (user: string, password: string) => `nats://${user}:${password}@127.0.0.1:${port}`
  const end = start()
  const control = natsBus(urlOf('control', 'c'), 'control', log)
  const one = natsBus(urlOf('h1', '1'), { host: 'h1.example' }, log)
  const two = natsBus(urlOf('h2', '2'), { host: 'h2' }, log)
  for (const bus of [control, one, two]) {
    t.after(() => bus.close())
    await bus.ready
  }
  return { control, one, two, urlOf, end, start }
}

/** What comes on a subject, one after the other. */
function listen<T>(bus: { subscribe: Awaited<ReturnType<typeof server>>['control']['subscribe'] }, subject: string) {
  const seen: T[] = []
  let wake = () => {}
  bus.subscribe<T>(subject, (message) => {
    seen.push(message)
    wake()
  })
  return {
    seen,
    async until(count: number) {
      while (seen.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      return seen
    },
  }
}

test('orders, reports and questions between control and hosts', async (t) => {
  const { control, one } = await server(t)
  const orders = listen<{ n: number }>(one, 'host.h1.example.network.port')
  const reports = listen<{ host: string }>(control, 'control.network.report')
  one.respond<{ n: number }, { n: number }>('host.h1.example.compute.console', async ({ n }) => {
    if (n === 0) throw new CloudError('conflict', 'busy', { type: 'Busy' })
    return { n: n * 2 }
  })
  // Subscriptions and what follows go down one connection in order; the other end hears of them after a round trip.
  assert.deepEqual(await ask(control, { n: 21 }), { n: 42 })
  for (let n = 0; n < 100; n++) control.publish('host.h1.example.network.port', { n, text: 'é'.repeat(n) })
  await orders.until(100)
  assert.deepEqual(
    orders.seen.map(({ n }) => n),
    Array.from({ length: 100 }, (_, n) => n),
  )
  one.publish('control.network.report', { host: 'h1.example' })
  assert.deepEqual(await reports.until(1), [{ host: 'h1.example' }])
  const busy = { kind: 'conflict', message: 'busy', type: 'Busy' }
  await assert.rejects(control.request('host.h1.example.compute.console', { n: 0 }), busy)
  const nobody = { kind: 'unavailable', message: /Nobody answers/ }
  await assert.rejects(control.request('host.h2.compute.console', {}), nobody)
})

/** The answer to a question, asked until somebody is there to hear it. */
async function ask(control: Awaited<ReturnType<typeof server>>['control'], question: object): Promise<unknown> {
  for (;;) {
    const answer = await control
      .request('host.h1.example.compute.console', question)
      .catch((error: CloudError) => error)
    if (!(answer instanceof CloudError && /Nobody/.test(answer.message))) return answer
  }
}

test('a host hears no other, and is heard for no other', async (t) => {
  const { control, one, two, urlOf } = await server(t)
  const reports = listen<{ host: string; n: number }>(control, 'control.network.report')
  const stolen = listen(two, 'host.h1.example.network.port')
  const own = listen(two, 'host.h2.network.port')
  const raw = openNats(urlOf('h2', '2'), 'raw', log)
  t.after(() => raw.close())
  await raw.ready
  raw.publish('from.h1%2Eexample.control.network.report', JSON.stringify({ host: 'h1.example', n: 1 }))
  raw.publish('from.h2.control.network.report', JSON.stringify({ host: 'h1.example', n: 2 }))
  raw.publish('from.h2.control.network.report', JSON.stringify({ host: 'h2', n: 3 }))
  assert.deepEqual(await reports.until(1), [{ host: 'h2', n: 3 }])
  control.publish('host.h1.example.network.port', {})
  control.publish('host.h2.network.port', {})
  await own.until(1)
  assert.deepEqual(stolen.seen, [])
  one.publish('control.network.report', { host: 'h1.example', n: 4 })
  await reports.until(2)
  assert.deepEqual(
    reports.seen.map(({ n }) => n),
    [3, 4],
  )
  const stranger = openNats(urlOf('h2', 'wrong'), 'stranger', log)
  t.after(() => stranger.close())
  await assert.rejects(stranger.ready, /does not take us in/)
})

test('a server that was away is found again, with all that was listened to', async (t) => {
  const { control, one, end, start } = await server(t)
  const orders = listen(one, 'host.h1.example.network.port')
  one.respond('host.h1.example.compute.console', async () => ({ there: true }))
  await end()
  start()
  assert.deepEqual(await askPatiently(control), { there: true })
  control.publish('host.h1.example.network.port', {})
  await orders.until(1)
})

/** As `ask`, while questions may be lost altogether. */
async function askPatiently(control: Awaited<ReturnType<typeof server>>['control']): Promise<unknown> {
  for (;;) {
    const options = { timeoutMs: 200 }
    const answer = await control.request('host.h1.example.compute.console', {}, options).catch(() => null)
    if (answer !== null) return answer
  }
}

test('what is listened to before the server’s welcome is told to it too', async (t) => {
  const { promise: asked, resolve: isAsked } = Promise.withResolvers<Socket>()
  const { promise: told, resolve: isTold } = Promise.withResolvers<void>()
  let said = ''
  const server = createServer((socket) => {
    socket.write('INFO {}\r\n')
    socket.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('PING\r\n')) isAsked(socket)
      if (/^SUB late \d+\r\n/m.test(said)) isTold()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const connection = openNats(`nats://one:word@127.0.0.1:${port}`, 'one', log)
  t.after(() => connection.close())
  const socket = await asked
  connection.subscribe('late', () => {})
  socket.write('PONG\r\n')
  await connection.ready
  await told
})
