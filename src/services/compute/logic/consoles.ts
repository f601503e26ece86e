import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { portOf, urlOf } from '../../../platform/config.ts'
import { CloudError } from '../../../platform/errors.ts'
import { newId } from '../../../platform/ids.ts'
import * as tokenRows from '../db/console-tokens.ts'
import * as serverRows from '../db/servers.ts'
import { subjects, type TerminalDoor, type TerminalRequest, type TerminalSizeRequest } from '../messages.ts'
import type { Deps } from './deps.ts'
import { asked, hostOf } from './host-requests.ts'

/** Protocol → its types. A container has a terminal and no screen, so only one of them is there. */
const types: Readonly<Record<string, readonly string[]>> = {
  vnc: ['novnc', 'xvpvnc'],
  spice: ['spice-html5'],
  rdp: ['rdp-html5'],
  serial: ['serial'],
  mks: ['webmks'],
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')
const requestMs = 20_000

/**
 * Gives the address of a console, good for whoever has it until it expires.
 * @throws CloudError `badRequest` for a type that is not there, `conflict` for a server that does not run
 */
export async function create(deps: Deps, server: serverRows.Server, protocol: string, type: string): Promise<string> {
  const { database, clock, config } = deps.ground
  if (!types[protocol]?.includes(type)) throw new CloudError('badRequest', `Invalid console type ${type}`)
  if (protocol !== 'serial') throw new CloudError('badRequest', `Unavailable console type ${type}.`)
  hostOf(server)
  const running = ['active', 'paused', 'suspended', 'resized', 'rescued'].includes(server.vmState)
  if (!running) {
    const text = `Cannot 'get_serial_console' instance ${server.id} while it is in vm_state ${server.vmState}`
    throw new CloudError('conflict', text)
  }
  const token = newId()
  const nowMs = clock.nowMs()
  const row = { hash: hashOf(token), server_id: server.id, console_type: type }
  const expires_at_ms = nowMs + config.consoleTokenSeconds * 1000
  await database.write((trx) => tokenRows.insert(trx, { ...row, expires_at_ms }, nowMs))
  return `${urlOf(config, 'console').replace(/^http/, 'ws')}/?token=${token}`
}

export interface ConsoleInfo {
  server: serverRows.Server
  type: string
  host: string
  port: number
}

/** What a token opens; null for one that is unknown or too old, or whose server is gone. */
export async function find(deps: Deps, token: string): Promise<ConsoleInfo | null> {
  const { database, clock, config } = deps.ground
  const row = await tokenRows.find(database.read, hashOf(token), clock.nowMs())
  const server = row && (await serverRows.find(database.read, row.server_id))
  if (!row || !server || server.host === null) return null
  return { server, type: row.console_type, host: server.host, port: portOf(config, 'console') }
}

/** The terminal of a running server, both ways. @throws CloudError */
export async function connectTerminal({ bus }: Deps, server: serverRows.Server): Promise<Socket> {
  const request: TerminalRequest = { serverId: server.id }
  const host = hostOf(server)
  const door = await asked(server, () =>
    bus.request<TerminalDoor>(subjects.terminal(host), request, { timeoutMs: requestMs }),
  )
  const socket = connect({ host: door.address, port: door.port, noDelay: true })
  await once(socket, 'connect', { signal: AbortSignal.timeout(requestMs) })
  socket.write(`${door.secret}\n`)
  return socket
}

export async function resize(
  { bus }: Deps,
  server: serverRows.Server,
  size: { columns: number; rows: number },
): Promise<void> {
  const request: TerminalSizeRequest = { serverId: server.id, ...size }
  await bus.request<object>(subjects.terminalSize(hostOf(server)), request, { timeoutMs: requestMs })
}
