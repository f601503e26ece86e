import { timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { newSecret } from '../../../platform/ids.ts'
import type { Logger } from '../../../platform/log.ts'
import type { TerminalDoor } from '../messages.ts'
import type { ServerDriver } from './driver.ts'

/** How long whoever asked for a terminal may take to come. */
const patienceMs = 10_000

/** Terminals of this host's servers, each behind a door that one connection with the right word may pass. */
export class Terminals {
  private readonly driver: ServerDriver
  private readonly address: string
  private readonly log: Logger
  private readonly open = new Set<Server | Duplex>()
  constructor(parts: { driver: ServerDriver; address: string; log: Logger }) {
    this.driver = parts.driver
    this.address = parts.address
    this.log = parts.log
  }

  /** @throws CloudError `notFound`, `conflict` when the server does not run */
  async door(serverId: string, signal: AbortSignal): Promise<TerminalDoor> {
    const terminal = await this.driver.attach(serverId, signal)
    const secret = newSecret()
    const server = createServer()
    const shut = () => {
      this.open.delete(server)
      server.close()
    }
    const givenUp = setTimeout(() => {
      shut()
      terminal.destroy()
    }, patienceMs)
    server.on('connection', (socket) => {
      this.admit(socket, secret, terminal, () => {
        clearTimeout(givenUp)
        shut()
      })
    })
    this.keep(terminal)
    this.open.add(server)
    server.listen(0, this.address)
    await once(server, 'listening')
    return { address: this.address, port: (server.address() as AddressInfo).port, secret }
  }

  /** Ends every session; the servers go on. */
  stop(): void {
    for (const each of this.open) {
      if ('destroy' in each) each.destroy()
      else each.close()
    }
    this.open.clear()
  }

  private admit(socket: Socket, secret: string, terminal: Duplex, passed: () => void): void {
    const expected = Buffer.from(`${secret}\n`)
    this.keep(socket)
    socket.setNoDelay(true)
    let said = Buffer.alloc(0)
    const hear = (chunk: Buffer) => {
      said = Buffer.concat([said, chunk])
      if (said.length < expected.length) return
      socket.off('data', hear)
      if (!timingSafeEqual(said.subarray(0, expected.length), expected)) {
        this.log.warn('a connection to a terminal did not know the word')
        socket.destroy()
        return
      }
      passed()
      socket.pause()
      if (said.length > expected.length) socket.unshift(said.subarray(expected.length))
      join(socket, terminal)
    }
    socket.on('data', hear)
  }

  private keep(stream: Duplex): void {
    this.open.add(stream)
    stream.on('error', (error) => this.log.debug({ err: error }, 'a terminal broke off'))
    stream.on('close', () => this.open.delete(stream))
  }
}

/** Each way until either end closes; then both are. */
function join(socket: Socket, terminal: Duplex): void {
  socket.pipe(terminal)
  terminal.pipe(socket)
  socket.on('close', () => terminal.destroy())
  terminal.on('close', () => socket.end())
}
