import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'

/** Of one frame; a terminal's are a few bytes. */
const longestFrame = 1024 * 1024
const pingMs = 30_000

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
type Opcode = (typeof opcodes)[keyof typeof opcodes]

/** Of a message in several frames: its kind, and for text what came so far. */
interface Fragments {
  text: Buffer[] | null
  bytes: number
}

export interface Accepted {
  /** The subprotocol agreed on; null when none was asked for. */
  protocol: string | null
  stream: WebSocketStream
}

/** Refuses an upgrade in HTTP's own words. */
export function refuseUpgrade(socket: Duplex, status: number, reason: string, text: string): void {
  const body = `${text}\n`
  const head = [`HTTP/1.1 ${status} ${reason}`, 'connection: close', 'content-type: text/plain; charset=utf-8']
  socket.end([...head, `content-length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'))
}

/**
 * Answers the opening handshake and gives the bytes of binary messages as a stream; null when it was refused. Of the
 * subprotocols the client offers, the first that is known here. Source: RFC 6455 §4.2.
 */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocols: readonly string[],
): Accepted | null {
  const { headers } = request
  const key = headers['sec-websocket-key']
  const asked = headers.upgrade?.toLowerCase() === 'websocket' && headers['sec-websocket-version'] === '13'
  if (!asked || request.method !== 'GET' || key === undefined || Buffer.from(key, 'base64').length !== 16) {
    refuseUpgrade(socket, 400, 'Bad Request', 'This is no opening handshake of a WebSocket, version 13.')
    return null
  }
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  const protocol = offered.find((name) => protocols.includes(name)) ?? null
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  const answer = ['HTTP/1.1 101 Switching Protocols', 'upgrade: websocket', 'connection: Upgrade']
  answer.push(`sec-websocket-accept: ${accept}`, ...(protocol ? [`sec-websocket-protocol: ${protocol}`] : []))
  socket.write(`${answer.join('\r\n')}\r\n\r\n`)
  return { protocol, stream: new WebSocketStream(socket, head) }
}

/**
 * The server's end of a WebSocket: what is written goes out as binary messages, what comes in as such is read. Text
 * messages are the event `text`. Pauses the peer when nobody reads. Source: RFC 6455 §5.
 */
export class WebSocketStream extends Duplex {
  private readonly socket: Duplex
  private readonly ping: NodeJS.Timeout
  private buffered: Buffer = Buffer.alloc(0)
  private fragments: Fragments | null = null
  private closing = false
  private answered = true

  constructor(socket: Duplex, head: Buffer) {
    super({ allowHalfOpen: false })
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.feed(chunk))
    socket.on('end', () => this.push(null))
    socket.on('close', () => this.destroy())
    socket.on('error', () => this.destroy())
    this.ping = setInterval(() => {
      if (!this.answered) this.destroy()
      this.answered = false
      this.frame(opcodes.ping, Buffer.alloc(0))
    }, pingMs)
    this.ping.unref()
    if (head.length > 0) this.feed(head)
  }

  /** Says why, as RFC 6455 §7.4 numbers it, and ends. */
  close(code: number, reason = ''): void {
    if (this.closing) return
    const text = Buffer.from(reason).subarray(0, 123)
    const payload = Buffer.alloc(2 + text.length)
    payload.writeUInt16BE(code)
    text.copy(payload, 2)
    this.frame(opcodes.close, payload)
    this.closing = true
    this.push(null)
    this.socket.end()
  }

  override _read(): void {
    this.socket.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.frame(opcodes.binary, chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.close(1000)
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.ping)
    this.socket.destroy()
    done(error)
  }

  private frame(opcode: Opcode, payload: Buffer, done?: (error?: Error | null) => void): void {
    if (this.closing || this.socket.destroyed) {
      done?.()
      return
    }
    const { length } = payload
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
    head[0] = 0x80 | opcode
    head[1] = length < 126 ? length : length < 65_536 ? 126 : 127
    if (head.length === 4) head.writeUInt16BE(length, 2)
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
    this.socket.write(Buffer.concat([head, payload]), done)
  }

  private feed(chunk: Buffer): void {
    this.buffered = this.buffered.length === 0 ? chunk : Buffer.concat([this.buffered, chunk])
    while (!this.closing && this.takeFrame()) {
      // the next one
    }
  }

  /** Takes one whole frame from what has come; false when there is none yet. */
  private takeFrame(): boolean {
    const { buffered } = this
    if (buffered.length < 2) return false
    const [first = 0, second = 0] = buffered
    const short = second & 0x7f
    const begin = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0)
    if (buffered.length < begin + 4) return false
    const length =
      short === 126 ? buffered.readUInt16BE(2) : short === 127 ? Number(buffered.readBigUInt64BE(2)) : short
    const opcode = first & 0x0f
    const control = opcode >= opcodes.close
    if ((first & 0x70) !== 0 || (second & 0x80) === 0 || (control && (length > 125 || (first & 0x80) === 0))) {
      this.close(1002, 'protocol error')
      return false
    }
    if (length > longestFrame) {
      this.close(1009, 'message too big')
      return false
    }
    if (buffered.length < begin + 4 + length) return false
    const mask = buffered.subarray(begin, begin + 4)
    const payload = Buffer.from(buffered.subarray(begin + 4, begin + 4 + length))
    for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0)
    this.buffered = buffered.subarray(begin + 4 + length)
    this.heed(opcode, (first & 0x80) !== 0, payload)
    return true
  }

  private heed(opcode: number, last: boolean, payload: Buffer): void {
    if (opcode === opcodes.ping) this.frame(opcodes.pong, payload)
    else if (opcode === opcodes.pong) this.answered = true
    else if (opcode === opcodes.close) this.close(payload.length >= 2 ? payload.readUInt16BE() : 1000)
    else if (opcode > opcodes.binary || (opcode === opcodes.continuation) !== (this.fragments !== null)) {
      this.close(1002, 'protocol error')
    } else {
      this.fragments ??= { text: opcode === opcodes.text ? [] : null, bytes: 0 }
      this.data(this.fragments, last, payload)
    }
  }

  private data(message: Fragments, last: boolean, payload: Buffer): void {
    message.bytes += payload.length
    if (last) this.fragments = null
    if (message.text === null) {
      if (payload.length > 0 && !this.push(payload)) this.socket.pause()
      return
    }
    if (message.bytes > longestFrame) {
      this.close(1009, 'message too big')
      return
    }
    message.text.push(payload)
    if (last) this.emit('text', Buffer.concat(message.text).toString())
  }
}
