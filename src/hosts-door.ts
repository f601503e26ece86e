import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { NatsProcess } from './platform/bus/nats-process.ts'
import type { NatsUser } from './platform/bus/nats-server.ts'
import type { Clock } from './platform/clock.ts'
import { type Config, portOf } from './platform/config.ts'
import type { Database } from './platform/db/database.ts'
import { CloudError, messageOf } from './platform/errors.ts'
import { join, type Member, members, newToken, passwordOf } from './platform/hosts/members.ts'
import type { Logger } from './platform/log.ts'

/** What a host is told when it joins: all it needs to be one, and nothing of other hosts. */
export interface Membership {
  cloudId: string
  host: string
  bus: { port: number; user: string; password: string }
  portBase: number
  metadataProxySharedSecret: string
  publicNat: boolean
}

export interface HostsDoor {
  /** Makes a word that lets `host` in, once, within the hour. */
  token(host: string): Promise<string>
  close(): Promise<void>
}

const bodyMaximumBytes = 4096

/** Everybody who may speak on the bus: control, and the hosts that have joined. */
export const busUsers = (secret: string, all: readonly Member[]): NatsUser[] => [
  { name: 'control', password: secret, host: null },
  ...all.map((member) => ({ name: `host:${member.host}`, password: passwordOf(secret, member), host: member.host })),
]

/** The one thing that a machine outside may ask without being known: to be let in with a token (`POST /join`). */
export async function openHostsDoor(parts: {
  config: Config
  cloudId: string
  busSecret: string
  database: Database
  nats: NatsProcess
  clock: Clock
  log: Logger
}): Promise<HostsDoor> {
  const { config, cloudId, busSecret, database, nats, clock, log } = parts
  const server = createServer((request, response) => {
    const reply = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
      response.end(JSON.stringify(body))
    }
    if (request.method !== 'POST' || request.url !== '/join') return reply(404, { message: 'there is nothing here' })
    read(request)
      .then(async ({ token }) => {
        const member = await join(database, String(token), clock.nowMs(), clock.now())
        await nats.allow(busUsers(busSecret, await members(database.read)))
        log.info({ host: member.host }, 'a host was let in')
        return {
          cloudId,
          host: member.host,
          bus: { port: portOf(config, 'bus'), user: `host:${member.host}`, password: passwordOf(busSecret, member) },
          portBase: config.portBase,
          metadataProxySharedSecret: config.metadataProxySharedSecret,
          publicNat: config.publicNat,
        } satisfies Membership
      })
      .then(
        (membership) => reply(200, membership),
        (error: unknown) => {
          const refused = error instanceof CloudError && error.kind === 'unauthorized'
          if (!refused) log.warn({ err: error }, 'a host could not be let in')
          reply(refused ? 401 : 400, { message: messageOf(error) })
        },
      )
  })
  server.listen(portOf(config, 'hosts'), config.bind)
  await once(server, 'listening')
  return {
    token: (host) => newToken(database, host, clock.nowMs()),
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function read(request: IncomingMessage): Promise<{ token?: unknown }> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) {
    text += chunk
    if (text.length > bodyMaximumBytes) throw new Error('the request is too large')
  }
  const value: unknown = JSON.parse(text)
  return typeof value === 'object' && value !== null ? value : {}
}
