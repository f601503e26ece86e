import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

/** Everything that must never be seen in a log, wherever it stands in what is logged. */
const secrets = ['password', 'token', 'secret', 'adminPass', 'authorization', '["x-auth-token"]', '["x-subject-token"]']

/** One line of JSON an event. `level` is pino's (`trace` … `fatal`, `silent`). */
export function newLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    redact: { paths: secrets.flatMap((s) => [s, `*${s.startsWith('[') ? s : `.${s}`}`]), censor: '***' },
  }
  return destination ? pino(options, destination) : pino(options)
}
