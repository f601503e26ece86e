import { chmod, mkdir, rename, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { dirname } from 'node:path'
import { messageOf } from '../../../platform/errors.ts'
import type { Logger } from '../../../platform/log.ts'

/** A plug-in's methods by name, such as `NetworkDriver.Join`: a JSON object in, a JSON object out. */
export type PluginMethods = Readonly<Record<string, (request: Record<string, unknown>) => Promise<object> | object>>

/** Calls that have no content. */
const handshakes: ReadonlySet<string> = new Set(['Plugin.Activate', 'NetworkDriver.GetCapabilities'])

/** No request of Docker's comes near this; whoever sends more is not Docker. */
const bodyMaximumBytes = 1 << 20

/**
 * Serves a Docker plug-in on a unix socket that only we and root may use. Docker finds it by the file's name.
 * Source: Docker Plugin API, "Plugin discovery" and "Plugin API".
 */
export async function servePlugin(
  socketPath: string,
  methods: PluginMethods,
  log: Logger,
): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    void answer(methods, request, log).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/vnd.docker.plugins.v1.1+json' })
      response.end(JSON.stringify(body))
    })
  })
  await mkdir(dirname(socketPath), { recursive: true, mode: 0o755 })
  // Docker must never see a socket that nobody answers on, nor others one that they may open.
  const hidden = `${socketPath}.new`
  await rm(hidden, { force: true })
  await listen(server, hidden)
  await chmod(hidden, 0o600)
  await rename(hidden, socketPath)
  return async () => {
    await rm(socketPath, { force: true })
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeIdleConnections()
      setTimeout(() => server.closeAllConnections(), 2000).unref()
    })
  }
}

const listen = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })

async function answer(methods: PluginMethods, request: IncomingMessage, log: Logger) {
  const name = (request.url ?? '').slice(1)
  const method = methods[name]
  // Docker takes 404 for "not implemented", and nothing else.
  if (request.method !== 'POST' || !method) return { status: 404, body: { Err: `${name} is not implemented` } }
  try {
    const asked = await readJson(request)
    // Engines repeat a call that broke off, but without its content; the container's next start sends it whole.
    if (!handshakes.has(name) && Object.keys(asked).length === 0)
      throw new Error(`${name} came without its content; start the container again`)
    const body = await method(asked)
    return { status: 200, body }
  } catch (error) {
    log.warn({ err: error, method: name }, 'a call of the Docker plug-in failed')
    return { status: 500, body: { Err: messageOf(error), Error: messageOf(error) } }
  }
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bodyMaximumBytes) throw new Error('the request is too large')
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8').trim()
  const value: unknown = text === '' ? {} : JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new Error('the request is no object')
  return value as Record<string, unknown>
}
