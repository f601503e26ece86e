import { spawn } from 'node:child_process'
import type { Server } from 'node:net'
import { CloudError } from '../../platform/errors.ts'
import { inNamespace } from './namespaces.ts'

const patienceMs = 20_000

/** What the helper runs: it opens the socket where it stands, hands it over, and ends. */
const helper = `
const [host, port] = process.argv.slice(1)
const server = require('node:net').createServer()
server.on('error', (error) => process.send({ error: error.message }, () => process.exit(1)))
server.listen({ host, port: Number(port) }, () => process.send({}, server, () => process.exit(0)))
`

/**
 * A TCP server inside another network namespace. No thread of Node can change its namespace, but a socket stays in the
 * one it was made in, whoever holds it: so a short-lived process opens it there and hands it over. What connects is
 * served by this process. The namespace lives on until the server is closed. @throws CloudError `unavailable`
 */
export async function listenIn(namespace: string, host: string, port: number): Promise<Server> {
  const [command = '', ...args] = inNamespace(namespace, [process.execPath, '-e', helper, host, `${port}`])
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<Server>((resolve, reject) => {
      let over = false
      const fail = (why: string) => {
        over = true
        reject(new CloudError('unavailable', `cannot listen on ${host}:${port} in ${namespace}: ${why}`))
      }
      timer = setTimeout(() => {
        child.kill('SIGKILL')
        fail(`no socket came within ${patienceMs / 1000} s`)
      }, patienceMs)
      child.on('message', (message: { error?: string }, handle) => {
        if (handle && over) (handle as Server).close()
        else if (handle) resolve(handle as Server)
        else fail(message.error ?? 'no socket came')
      })
      child.on('error', (error) => fail(error.message))
      // Not its exit: that may be heard before the last message is, and a socket that came then would stay open unseen.
      child.on('disconnect', () => fail(stderr.trim() || 'the helper ended without one'))
    })
  } finally {
    clearTimeout(timer)
  }
}
