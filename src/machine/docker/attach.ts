import { request } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Engine } from './engine.ts'
import { errorOfAnswer, errorOfTransport } from './errors.ts'

/** What no one types by chance: the engine lets go of the terminal on the usual keys, which belong to the server. */
const detachKeys = 'ctrl-^,ctrl-_,ctrl-^,ctrl-_,ctrl-^,ctrl-_'

/**
 * The terminal of a container that has one, both ways. It ends when the container stops; when this end closes, the
 * container goes on. Source: Docker Engine API reference, "Attach to a container", "Upgrading the connection".
 */
export async function attach(engine: Engine, id: string, signal: AbortSignal): Promise<Duplex> {
  const version = await engine.apiVersion(signal)
  const query = new URLSearchParams({ stream: '1', stdin: '1', stdout: '1', stderr: '1', detachKeys })
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
  const call = request({
    socketPath: engine.socketPath,
    method: 'POST',
    path: `/v${version}/containers/${encodeURIComponent(id)}/attach?${query}`,
    headers: { host: 'docker', connection: 'Upgrade', upgrade: 'tcp' },
  })
  // Only until it is open: the session lasts as long as it lasts.
  const giveUp = () => call.destroy(signal.reason as Error)
  signal.addEventListener('abort', giveUp, { once: true })
  call.on('upgrade', (_answer, socket, head) => {
    signal.removeEventListener('abort', giveUp)
    if (head.length > 0) socket.unshift(head)
    resolve(socket)
  })
  call.on('response', async (answer) => {
    const text = Buffer.concat(await answer.toArray()).toString()
    reject(errorOfAnswer(answer.statusCode ?? 500, text))
  })
  call.on('error', (error) => reject(errorOfTransport(error, engine.socketPath)))
  call.end()
  return promise
}

/** Tells a terminal how large the window is that shows it. */
export async function resizeTerminal(
  engine: Engine,
  id: string,
  { columns, rows }: { columns: number; rows: number },
  signal: AbortSignal,
): Promise<void> {
  await engine.send('POST', `/containers/${encodeURIComponent(id)}/resize`, { query: { w: columns, h: rows }, signal })
}
