import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request } from 'node:http'
import { CloudError, type Kind, messageOf } from '../platform/errors.ts'
import { statePaths } from './state.ts'

/** What the running process tells, and does for, the other verbs. `null`: not ready yet. */
export type Answers = Readonly<Record<string, (said: unknown) => Promise<unknown | null>>>

/**
 * Answers `POST /<name>` (JSON or nothing in, JSON out) on a socket in the state directory, which only its owner may enter.
 * The caller holds the lock, so a socket that is there already is a dead one.
 */
export async function serveControl(stateDir: string, answers: Answers): Promise<{ close(): Promise<void> }> {
  const path = statePaths(stateDir).control
  const server = createServer((req, res) => {
    const answer = answers[(req.url ?? '/').slice(1)]
    const reply = (status: number, body: unknown) => {
      res.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
      res.end(JSON.stringify(body))
    }
    if (req.method !== 'POST' || !answer) return reply(404, { message: 'there is no such question' })
    json(req)
      .then(answer)
      .then(
        (body) => (body === null ? reply(503, { message: 'the cloud is starting' }) : reply(200, body)),
        (error: unknown) => {
          const kind = error instanceof CloudError ? error.kind : 'internal'
          reply(500, { message: messageOf(error), kind })
        },
      )
  })
  rmSync(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  chmodSync(path, 0o600)
  return {
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

async function json(req: IncomingMessage): Promise<unknown> {
  const text = Buffer.concat(await Array.fromAsync(req)).toString()
  return text === '' ? undefined : JSON.parse(text)
}

/** Asks the running process. Null when none runs, or it is still starting. @throws CloudError with what went wrong there. */
export function askControl<T>(
  stateDir: string,
  question: string,
  said?: unknown,
): Promise<{ state: 'off' | 'starting' } | { state: 'up'; answer: T }> {
  return new Promise((resolve, reject) => {
    const place = { socketPath: statePaths(stateDir).control, path: `/${question}`, method: 'POST', timeout: 10_000 }
    const req = request(place, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.once('error', reject)
      res.once('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as T & { message?: string; kind?: Kind }
        if (res.statusCode === 200) resolve({ state: 'up', answer: body })
        else if (res.statusCode === 503) resolve({ state: 'starting' })
        else reject(new CloudError(body.kind ?? 'internal', body.message ?? `status ${res.statusCode}`))
      })
    })
    req.once('timeout', () => req.destroy(new CloudError('unavailable', 'the cloud does not answer within 10 s')))
    req.once('error', (error: NodeJS.ErrnoException) => {
      if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(error.code ?? '')) resolve({ state: 'off' })
      else reject(error)
    })
    req.end(said === undefined ? '' : JSON.stringify(said))
  })
}
