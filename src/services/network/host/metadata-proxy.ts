import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { listenIn } from '../../../machine/net/listen.ts'
import { request } from '../../../platform/http/client.ts'
import type { Logger } from '../../../platform/log.ts'
import { metadataAddress, namespaceOf } from './names.ts'
import { type Orders, serverIdOf } from './orders.ts'

export interface MetadataUpstream {
  /** `http://127.0.0.1:8775`. */
  url: string
  sharedSecret: string
}

/** The metadata address inside networks' namespaces, all served by this process. */
export interface MetadataProxy {
  /** Listens in the network's namespace, where the address must be on the bridge. Repeatable. */
  ensure(networkId: string): Promise<void>
  /** Lets the namespace go: a socket in it would keep it alive. */
  close(networkId: string): Promise<void>
  closeAll(): Promise<void>
}

const upstreamTimeoutMs = 30_000
const bodyMaximumBytes = 1 << 20

/** Never passed on: who asks is ours to say. */
const ours = /^(x-forwarded-for|x-instance-id|x-instance-id-signature|x-tenant-id|x-metadata-provider.*)$/
const hopByHop = /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host|content-length|expect)$/

/**
 * Passes what servers ask 169.254.169.254 on to the metadata service, with their identity: which network is known by
 * the socket it came to, which port by the address it came from, which no server can forge.
 * Source: Compute admin guide, "Metadata service"; Nova's and Neutron's metadata headers.
 */
export function metadataProxy(upstream: MetadataUpstream, orders: Orders, log: Logger): MetadataProxy {
  const doors = new Map<string, { close(): void }>()
  const opening = new Map<string, Promise<void>>()
  /** One at a time: each costs a short-lived process, and a host has many networks. */
  let turn: Promise<unknown> = Promise.resolve()

  async function open(networkId: string): Promise<void> {
    const socketServer = await listenIn(namespaceOf(networkId), metadataAddress, 80)
    const sockets = new Set<Socket>()
    const http: Server = createServer((incoming, response) => {
      answer(networkId, incoming, response).catch((error) => {
        log.warn({ err: error, network: networkId }, 'a metadata request failed')
        if (!response.headersSent) response.writeHead(502)
        response.end()
      })
    })
    http.requestTimeout = upstreamTimeoutMs
    socketServer.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      http.emit('connection', socket)
    })
    doors.set(networkId, {
      close() {
        socketServer.close()
        for (const socket of sockets) socket.destroy()
      },
    })
  }

  async function answer(networkId: string, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const from = incoming.socket.remoteAddress?.replace(/^::ffff:/, '') ?? ''
    const port = [...orders.ports.values()].find(
      (one) =>
        one.networkId === networkId && one.wish === 'bound' && one.fixedIps.some(({ ipAddress }) => ipAddress === from),
    )
    const serverId = port ? serverIdOf(port) : null
    if (!port || serverId === null) {
      response.writeHead(404)
      response.end()
      return
    }
    const headers: Record<string, string> = {}
    for (const [name, value] of Object.entries(incoming.headers))
      if (!ours.test(name) && !hopByHop.test(name) && typeof value === 'string') headers[name] = value
    // Joined as text, so that no path of theirs can name another host.
    const path = incoming.url?.startsWith('/') ? incoming.url : '/'
    const {
      statusCode,
      headers: answered,
      body,
    } = await request(`${upstream.url}${path}`, {
      method: (incoming.method ?? 'GET') as 'GET',
      headers: {
        ...headers,
        'x-forwarded-for': from,
        'x-instance-id': serverId,
        'x-tenant-id': port.projectId ?? '',
        'x-instance-id-signature': createHmac('sha256', upstream.sharedSecret).update(serverId).digest('hex'),
      },
      body: await bodyOf(incoming),
      headersTimeout: upstreamTimeoutMs,
      bodyTimeout: upstreamTimeoutMs,
    })
    const kept = Object.entries(answered).filter(([name]) => !/^(connection|keep-alive|transfer-encoding)$/.test(name))
    response.writeHead(statusCode, Object.fromEntries(kept))
    await pipeline(body, response)
  }

  return {
    async ensure(networkId) {
      if (doors.has(networkId)) return
      const mine =
        opening.get(networkId) ??
        turn
          .catch(() => {})
          .then(() => open(networkId))
          .finally(() => opening.delete(networkId))
      opening.set(networkId, mine)
      turn = mine
      await mine
    },
    async close(networkId) {
      await opening.get(networkId)?.catch(() => {})
      doors.get(networkId)?.close()
      doors.delete(networkId)
    },
    async closeAll() {
      await turn.catch(() => {})
      for (const door of doors.values()) door.close()
      doors.clear()
    },
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bodyMaximumBytes) throw new Error('the request is too large')
    chunks.push(chunk)
  }
  return bytes === 0 ? null : Buffer.concat(chunks)
}
