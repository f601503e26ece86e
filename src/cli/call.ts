import { parseArgs } from 'node:util'
import { type Arguments, type Config, type Environment, readConfig } from '../config.ts'
import { messageOf } from '../platform/errors.ts'

/** What was typed makes no sense: one line, and exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** One flag of a verb: `value` names what follows it; without it the flag stands alone. */
export interface Flag {
  readonly short?: string
  readonly value?: string
  readonly help: string
  /** Not shown by `help`: for our own use between processes. */
  readonly hidden?: boolean
}

/** How a verb is called. */
export interface Shape {
  readonly flags: Readonly<Record<string, Flag>>
  /** The one word that may follow, by name; absent when none may. */
  readonly operand?: string
}

/** A verb as it was called: flags, the word after it, and where to write. */
export interface Call {
  readonly flags: Readonly<Record<string, string | true | undefined>>
  readonly operand: string | undefined
  /** What stood after the verb, as typed. */
  readonly words: readonly string[]
  readonly env: Environment
  readonly out: (line: string) => void
  readonly err: (line: string) => void
}

/** @throws UsageError naming the flag that is unknown, lacks its value, or has one too many. */
export function parseCall(shape: Shape, words: readonly string[]): Pick<Call, 'flags' | 'operand'> {
  const options = Object.fromEntries(
    Object.entries(shape.flags).map(([name, flag]) => [
      name,
      { type: flag.value ? ('string' as const) : ('boolean' as const), ...(flag.short ? { short: flag.short } : {}) },
    ]),
  )
  let parsed: { values: Record<string, unknown>; positionals: string[] }
  try {
    parsed = parseArgs({ args: [...words], options, strict: true, allowPositionals: true })
  } catch (error) {
    throw new UsageError(messageOf(error).split('. ')[0] ?? '', { cause: error })
  }
  const spare = parsed.positionals[shape.operand ? 1 : 0]
  if (spare !== undefined) throw new UsageError(`Unexpected argument '${spare}'`)
  return { flags: parsed.values as Call['flags'], operand: parsed.positionals[0] }
}

/** The configuration that the call's flags, the environment and the file make. */
export function configOf(call: Call): Config {
  const { flags } = call
  const args: Arguments = {}
  if (typeof flags.config === 'string') args.config = flags.config
  if (typeof flags['state-dir'] === 'string') args.stateDir = flags['state-dir']
  if (typeof flags.bind === 'string') args.bind = flags.bind
  if (typeof flags['port-base'] === 'string') args.portBase = flags['port-base']
  if (flags['no-demo']) args.demo = false
  return readConfig(call.env, args)
}
