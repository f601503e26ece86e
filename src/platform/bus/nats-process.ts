import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../log.ts'
import { type NatsUser, natsServerConfig } from './nats-server.ts'

/** A NATS server of our own, started again when it ends. */
export interface NatsProcess {
  /** Whoever is not in the list is put out at once. */
  allow(users: readonly NatsUser[]): Promise<void>
  stop(): Promise<void>
}

const pauseMs = 500

export async function startNatsServer(
  options: { stateDir: string; host: string; port: number; users: readonly NatsUser[] },
  log: Logger,
): Promise<NatsProcess> {
  const file = join(options.stateDir, 'nats.conf')
  const { host, port } = options
  let child: ChildProcess | null = null
  let stopped = false

  const write = async (users: readonly NatsUser[]) => {
    await writeFile(`${file}.new`, natsServerConfig({ host, port }, users), { mode: 0o600 })
    await chmod(`${file}.new`, 0o600)
    await rename(`${file}.new`, file)
  }
  const start = () => {
    if (stopped) return
    const mine = spawn('nats-server', ['-c', file], { stdio: 'ignore' })
    child = mine
    mine.on('error', (error) => log.error({ err: error }, 'nats-server cannot be started'))
    mine.on('exit', (code, signal) => {
      if (child === mine) child = null
      if (stopped) return
      log.warn({ code, signal }, 'the NATS server has ended; it is started again')
      setTimeout(start, pauseMs)
    })
  }
  await write(options.users)
  start()

  return {
    async allow(users) {
      await write(users)
      child?.kill('SIGHUP') // it reads its file again, and drops who is not in it
    },
    async stop() {
      stopped = true
      const mine = child
      if (!mine || mine.exitCode !== null || mine.signalCode !== null) return
      mine.kill('SIGTERM')
      await once(mine, 'exit')
    },
  }
}
