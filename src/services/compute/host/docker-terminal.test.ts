import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import test from 'node:test'
import { temporaryDirectory } from '../../../../test/support/databases.ts'
import { startEngine } from '../../../../test/support/engine.ts'
import { newLogger } from '../../../platform/log.ts'
import type { ServerOrder } from '../messages.ts'
import { dockerDriver } from './docker.ts'
import { anOrder, noPlug } from './driver-suite.ts'
import { Terminals } from './terminals.ts'

/** Reads on until the pattern is there. */
async function until(stream: Duplex, pattern: RegExp): Promise<string> {
  let text = ''
  for (;;) {
    const [chunk] = (await once(stream, 'data')) as [Buffer]
    text += chunk.toString()
    if (pattern.test(text)) return text
  }
}

test('a server’s terminal', async (t) => {
  const signal = AbortSignal.timeout(240_000)
  const { socketPath, busybox } = await startEngine(t, { ownNetwork: true })
  const driver = dockerDriver({ socketPath, cloudId: 'c1', configDrives: await temporaryDirectory(t) })
  t.after(() => driver.close())
  const image = { imageId: 'i1', reference: 'unused', configDigest: busybox, pullToken: 't' }
  const ensure = (order: ServerOrder) => driver.ensure(order, { rebootFrom: null, plug: noPlug }, signal)
  const terminals = new Terminals({ driver, address: '127.0.0.1', log: newLogger('silent') })
  t.after(() => terminals.stop())
  const open = async (serverId: string) => {
    const { port, address, secret } = await terminals.door(serverId, signal)
    const socket = connect(port, address)
    await once(socket, 'connect')
    socket.write(`${secret}\n`)
    return socket
  }
  const order = anOrder(image)
  await ensure(order)

  await t.test('says what its first process says, and takes what is typed', async () => {
    const socket = await open(order.serverId)
    socket.write('echo $((6 * 7))-here\n')
    await until(socket, /42-here/)
    await driver.resizeTerminal(order.serverId, { columns: 101, rows: 37 }, signal)
    socket.write('busybox stty size\n')
    await until(socket, /37 101/)
    socket.destroy()
  })

  await t.test('goes on when whoever looked has left, and ends with the server', async () => {
    const socket = await open(order.serverId)
    socket.write('echo still-$((1 + 1))\n')
    await until(socket, /still-2/)
    const ended = once(socket, 'close')
    socket.resume()
    await ensure({ ...order, wish: 'stopped' })
    await ended
    await assert.rejects(terminals.door(order.serverId, signal), { kind: 'conflict' })
  })

  await t.test('does not open to whoever does not know the word', async () => {
    await ensure(order)
    const { port } = await terminals.door(order.serverId, signal)
    const socket = connect(port, '127.0.0.1')
    socket.write(`${'x'.repeat(24)}\n`)
    socket.resume()
    await once(socket, 'close')
    await ensure({ ...order, wish: 'absent' })
  })
})
