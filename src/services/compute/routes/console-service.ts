import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { createPolicy } from '../../../platform/auth/policy-engine.ts'
import { urlOf } from '../../../platform/config.ts'
import { CloudError } from '../../../platform/errors.ts'
import { createApp } from '../../../platform/http/app.ts'
import { acceptWebSocket, refuseUpgrade, type WebSocketStream } from '../../../platform/http/websocket.ts'
import type { Service } from '../../../platform/service.ts'
import * as consoles from '../logic/consoles.ts'
import type { Deps } from '../logic/deps.ts'
import { computeFault } from './fault.ts'

/** The first is upstream's: bytes and nothing else. The other also takes `{"columns": 80, "rows": 24}` as a text. */
const protocols = ['binary', 'berth.terminal.v1']

/**
 * Serial consoles: a WebSocket in front of a server's terminal, for whoever has a token's address.
 * Source: Nova administrator's guide, "Configuring remote console access", serial.
 */
export function consoleService(deps: Deps, authenticate: Parameters<typeof createApp>[0]['authenticate']): Service {
  const { config, log } = deps.ground
  const app = createApp({
    service: 'console',
    dialect: computeFault,
    policy: createPolicy([], {}),
    authenticate,
    identityUrl: `${urlOf(config, 'identity')}/v3`,
    log,
  })
  const open = new Set<Duplex>()
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => socket.destroy())
    serve(request, socket, head).catch((error: unknown) => {
      log.error({ err: error }, 'a console failed')
      socket.destroy()
    })
  })

  async function serve(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://console')
    if (!isSameOrigin(request, config.publicHost)) {
      refuseUpgrade(socket, 403, 'Forbidden', 'A page of another origin may not open this console.')
      return
    }
    const found = await consoles.find(deps, url.searchParams.get('token') ?? '')
    if (!found) {
      refuseUpgrade(socket, 403, 'Forbidden', 'The token is unknown or too old.')
      return
    }
    const { server } = found
    let terminal: Duplex
    try {
      terminal = await consoles.connectTerminal(deps, server)
    } catch (error) {
      if (!(error instanceof CloudError)) throw error
      refuseUpgrade(socket, 409, 'Conflict', error.message)
      return
    }
    const accepted = acceptWebSocket(request, socket, head, protocols)
    if (!accepted) {
      terminal.destroy()
      return
    }
    const { stream, protocol } = accepted
    if (protocol === 'berth.terminal.v1') {
      stream.on('text', (text: string) => {
        const size = sizeOf(text)
        if (size) consoles.resize(deps, server, size).catch((error) => log.debug({ err: error }, 'no new size'))
        else stream.close(1008, 'no size')
      })
    }
    join(stream, terminal)
  }

  return {
    name: 'console',
    app,
    loops: [],
    async stop() {
      for (const socket of open) socket.destroy()
    },
  }
}

function join(stream: WebSocketStream, terminal: Duplex): void {
  stream.on('error', () => {})
  terminal.on('error', () => {})
  stream.pipe(terminal)
  terminal.on('data', (chunk: Buffer) => {
    if (!stream.write(chunk)) terminal.pause()
  })
  stream.on('drain', () => terminal.resume())
  terminal.on('close', () => stream.close(1000, 'the server has stopped'))
  stream.on('close', () => terminal.destroy())
}

/** Programs send no origin; a browser's page must come from where the console itself is reached. */
function isSameOrigin({ headers }: IncomingMessage, publicHost: string): boolean {
  if (headers.origin === undefined) return true
  if (!URL.canParse(headers.origin)) return false
  const { hostname } = new URL(headers.origin)
  const own = URL.canParse(`http://${headers.host}`) ? new URL(`http://${headers.host}`).hostname : ''
  return hostname === own || (publicHost !== '' && hostname === publicHost)
}

function sizeOf(text: string): { columns: number; rows: number } | null {
  try {
    const { columns, rows } = JSON.parse(text) as { columns?: unknown; rows?: unknown }
    const fits = [columns, rows].every((n) => Number.isInteger(n) && Number(n) > 0 && Number(n) <= 1000)
    return fits ? { columns: Number(columns), rows: Number(rows) } : null
  } catch {
    return null
  }
}
