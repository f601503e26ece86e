import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Ran } from '../../support/berth.ts'

/** The clients of this machine, kept warm: a command costs a fraction of a second. */
export interface Driver {
  run(client: string, argv: readonly string[], input?: string): Promise<Ran & { seconds: number }>
  close(): void
}

const program = fileURLToPath(new URL('driver.py', import.meta.url))

/** `env`: the `OS_…` variables that every command gets. */
export function startDriver(env: Readonly<Record<string, string>>): Driver {
  const child: ChildProcess = spawn('/usr/bin/python3', [program], {
    env: { ...process.env, ...env, PYTHONWARNINGS: 'ignore', COLUMNS: '200' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  return {
    async run(client, argv, input) {
      child.stdin?.write(`${JSON.stringify({ client, argv, ...(input === undefined ? {} : { input }) })}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error('the clients’ driver has ended; see its last words above')
      return JSON.parse(value) as Ran & { seconds: number }
    },
    close: () => void child.stdin?.end(),
  }
}
