import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config.ts'
import type { Call } from './call.ts'
import { toTerminal, type Word } from './progress.ts'
import { ensureStateDir, statePaths } from './state.ts'

const program = fileURLToPath(new URL('../main.ts', import.meta.url))

/** Runs the same `up` in a session of its own, and returns when it is ready or has failed. */
export async function detach(config: Config, call: Call, again?: readonly string[]): Promise<number> {
  ensureStateDir(config.stateDir)
  const { log } = statePaths(config.stateDir)
  const out = openSync(log, 'a', 0o600)
  const words = again ?? ['up', '--follow', ...call.words.filter((word) => word !== '-d' && word !== '--detach')]
  const child = spawn(process.execPath, [...process.execArgv, program, ...words], {
    detached: true,
    stdio: ['ignore', out, out, 'pipe'],
  })
  closeSync(out)
  child.unref()
  const pipe = child.stdio[3] as Readable
  // Whoever gives up waiting wants the cloud no more than the wait.
  const giveUp = () => child.kill('SIGTERM')
  process.once('SIGINT', giveUp).once('SIGTERM', giveUp)
  const progress = toTerminal(call.out, call.err)
  for await (const line of createInterface({ input: pipe })) {
    const word = JSON.parse(line) as Word
    if ('step' in word) progress.step(word.step)
    else if ('ready' in word) {
      progress.ready(word.ready)
      return 0
    } else {
      progress.failed(word.failed, word.code)
      return word.code
    }
  }
  progress.failed(`the cloud's process ended before it was ready; its last words are in ${log}`, 1)
  return 1
}
