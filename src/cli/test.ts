import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Call } from './call.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** `berth test [ARGS]`: what `npm test` runs. */
export async function run(call: Call): Promise<number> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'tools/test.ts', ...call.words], {
    cwd: root,
    stdio: 'inherit',
  })
  // Ctrl-C reaches the child by itself; what is sent to us alone must be handed on.
  const hand = (signal: NodeJS.Signals) => child.kill(signal)
  process.on('SIGTERM', hand)
  process.on('SIGINT', () => {})
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
