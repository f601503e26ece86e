import { closeSync, writeSync } from 'node:fs'

/** Where a start tells how it goes: to the terminal, or to the `up -d` that waits for it. */
export interface Progress {
  step(text: string): void
  /** The last word: what a user reads when the cloud is up. */
  ready(lines: readonly string[]): void
  failed(message: string, code: number): void
}

/** What goes over the pipe, a line of JSON each. */
export type Word = { step: string } | { ready: readonly string[] } | { failed: string; code: number }

/** `   0.31 s  engine: Docker 20.10.24`. */
export function toTerminal(out: (line: string) => void, err: (line: string) => void): Progress {
  const began = performance.now()
  return {
    step: (text) => out(`${((performance.now() - began) / 1000).toFixed(2).padStart(7)} s  ${text}`),
    ready: (lines) => {
      for (const line of lines) out(line)
    },
    failed: (message) => {
      for (const line of message.split('\n')) err(`berth: ${line}`)
    },
  }
}

/** To descriptor `fd`; nobody there any more is no reason to stop. */
export function toPipe(fd: number): Progress {
  let open = true
  const say = (word: Word, last: boolean) => {
    if (!open) return
    try {
      writeSync(fd, `${JSON.stringify(word)}\n`)
      if (last) closeSync(fd)
    } catch {
      open = false
    }
    if (last) open = false
  }
  return {
    step: (step) => say({ step }, false),
    ready: (ready) => say({ ready }, true),
    failed: (failed, code) => say({ failed, code }, true),
  }
}
