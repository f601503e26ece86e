import { openSync, writeSync } from 'node:fs'
import { type Logger, newLogger } from '../platform/log.ts'

/**
 * A log at the end of the file at `path`, for our eyes only. A disk that is full costs lines, never the cloud: its API
 * goes on, and says what is the matter; the log says how many it lost when there is room again.
 */
export function openLog(path: string, level: string): Logger {
  const file = openSync(path, 'a', 0o600)
  let torn = false
  let lost = 0
  const append = (line: string): boolean => {
    const bytes = Buffer.from(torn ? `\n${line}` : line)
    try {
      const written = writeSync(file, bytes)
      if (written > 0) torn = written < bytes.length
      return !torn
    } catch {
      return false
    }
  }
  const log = newLogger(level, {
    write(line) {
      if (!append(line)) lost++
      else if (lost > 0) {
        const lines = lost
        lost = 0
        log.warn({ lines }, 'lines of this log are missing: there was no room on the disk')
      }
    },
  })
  return log
}
