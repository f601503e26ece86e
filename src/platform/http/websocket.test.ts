import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import test, { type TestContext } from 'node:test'
import { acceptWebSocket, type WebSocketStream } from './websocket.ts'

/** Gives each peer to `serve`; Node's own client is the other end. */
async function listen(t: TestContext, serve: (stream: WebSocketStream, protocol: string | null) => void) {
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    const accepted = acceptWebSocket(request, socket, head, ['binary'])
    if (accepted) serve(accepted.stream, accepted.protocol)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

async function open(port: number, protocols: string[] = ['binary']) {
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, protocols)
  client.binaryType = 'arraybuffer'
  await once(client, 'open')
  const next = async () => Buffer.from((await once(client, 'message'))[0].data as ArrayBuffer)
  return { client, next }
}

test('bytes go both ways, whatever their length', async (t) => {
  const port = await listen(t, (stream) => stream.pipe(stream))
  const { client, next } = await open(port)
  assert.equal(client.protocol, 'binary')
  for (const length of [1, 125, 126, 65_535, 65_536, 300_000]) {
    const sent = Buffer.alloc(length, length % 251)
    client.send(sent)
    let back = Buffer.alloc(0)
    while (back.length < length) back = Buffer.concat([back, await next()])
    assert.ok(back.equals(sent), `${length} bytes`)
  }
  client.close()
  await once(client, 'close')
})

test('text is apart from bytes, and the end is told with its reason', async (t) => {
  const port = await listen(t, (stream) => {
    stream.on('text', (text: string) => stream.close(4000, `heard ${text}`))
    stream.resume()
  })
  const { client } = await open(port)
  client.send('grüß')
  const [closed] = (await once(client, 'close')) as [CloseEvent]
  assert.deepEqual([closed.code, closed.reason], [4000, 'heard grüß'])
})

/** A peer that says what it likes; gives the code it is sent away with. */
async function rude(port: number, bytes: Buffer): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  const handshake = ['GET / HTTP/1.1', 'host: x', 'upgrade: websocket', 'connection: Upgrade']
  socket.write(
    [...handshake, 'sec-websocket-version: 13', `sec-websocket-key: ${btoa('x'.repeat(16))}`, '', ''].join('\r\n'),
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  assert.match(answer.toString(), /^HTTP\/1\.1 101 /)
  socket.write(bytes)
  const [frame] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  assert.equal(frame[0], 0x88)
  return frame.readUInt16BE(2)
}

test('a peer that breaks the rules is sent away', async (t) => {
  const port = await listen(t, (stream) => {
    stream.on('error', () => {})
    stream.resume()
  })
  assert.equal(await rude(port, Buffer.from([0x82, 0x01, 0, 0, 0, 0, 0])), 1002, 'not masked')
  assert.equal(await rude(port, Buffer.from([0xc2, 0x81, 0, 0, 0, 0, 0])), 1002, 'a reserved bit')
  assert.equal(await rude(port, Buffer.from([0x80, 0x81, 0, 0, 0, 0, 0])), 1002, 'goes on with nothing')
  const huge = Buffer.alloc(14)
  huge.set([0x82, 0xff])
  huge.writeBigUInt64BE(1n << 40n, 2)
  assert.equal(await rude(port, huge), 1009)
  const refused = await fetch(`http://127.0.0.1:${port}/`, { headers: { upgrade: 'websocket' } }).catch(() => null)
  assert.equal(refused, null, 'a plain request gets no answer from a server of upgrades alone')
})
