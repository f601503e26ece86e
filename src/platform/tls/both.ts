import { once } from 'node:events'
import { createServer as createPlain } from 'node:http'
import { createServer as createTls } from 'node:https'
import { createServer, type Socket } from 'node:net'
import type { App } from '../http/app.ts'
import type { Certificate } from './certificates.ts'

/** A TLS record that begins a handshake. Source: RFC 8446 §5.1. */
const handshake = 0x16
/** Who connects and says nothing. */
const silentMs = 20_000

/**
 * One door for both: TLS for everybody, and plain HTTP for this machine itself, whose engine and hosts trust nobody but the address. Others
 * who speak plain HTTP are told so.
 */
export async function listenBoth(
  app: App,
  port: number,
  host: string,
  { cert, key }: Certificate,
): Promise<{ close(): void }> {
  await app.ready()
  const answer = app.routing.bind(app)
  const secure = createTls({ cert, key, minVersion: 'TLSv1.2', keepAliveTimeout: 75_000 }, answer)
  const plain = createPlain({ keepAliveTimeout: 75_000 }, answer)
  // Consoles and the like go on in words of their own.
  for (const server of [secure, plain])
    server.on('upgrade', (request, socket, head) => {
      if (!app.server.emit('upgrade', request, socket, head)) socket.destroy()
    })
  const refusing = createPlain((request, response) => {
    request.resume()
    const headers = { 'content-type': 'text/plain', connection: 'close' }
    response.writeHead(400, headers).end('This port speaks HTTPS.\n')
  })
  const sockets = new Set<Socket>()
  const front = createServer({ pauseOnConnect: false }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
    socket.setTimeout(silentMs, () => socket.destroy())
    socket.once('data', (first: Buffer) => {
      socket.pause()
      socket.setTimeout(0)
      socket.removeAllListeners('timeout')
      socket.unshift(first)
      const isOwn = isLoopback(socket.remoteAddress) || socket.remoteAddress === socket.localAddress
      const server = first[0] === handshake ? secure : isOwn ? plain : refusing
      server.emit('connection', socket)
      process.nextTick(() => socket.resume())
    })
  })
  front.listen(port, host)
  await once(front, 'listening')
  return {
    close() {
      front.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && (address === '::1' || /^(::ffff:)?127\./.test(address))
