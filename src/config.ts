import { readFileSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { parse as parseYaml } from 'yaml'
import type { Config } from './platform/config.ts'
import { CloudError, messageOf } from './platform/errors.ts'
import { type Setting, settings, variableOf } from './settings.ts'
import { suggestion } from './words.ts'

export type { Config } from './platform/config.ts'

/** What was said on the command line, which comes before everything else. */
export interface Arguments {
  /** A file to read in place of `berth.yaml` in the state directory. */
  config?: string
  stateDir?: string
  bind?: string
  portBase?: string
  demo?: boolean
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The one look at the environment; what comes of it is handed on. */
export const environment = (): Environment => process.env

/**
 * Reads every setting: the command line before `BERTH_…` variables before `berth.yaml` before the fallbacks.
 * @throws CloudError kind `badRequest` that names every key that is unknown or wrong, one a line.
 */
export function readConfig(env: Environment, args: Arguments = {}): Config {
  const known = settings({ stateDir: usualStateDir(env), hostname: machineName() })
  const problems = unknownVariables(env, known)
  const values = new Map<string, unknown>(known.map((setting) => [setting.key, setting.fallback]))

  const early = args.stateDir ?? env.BERTH_STATE_DIR
  const stateDir = resolve(early || usualStateDir(env))
  const explicit = args.config ?? env.BERTH_CONFIG
  const file = explicit ? resolve(explicit) : join(stateDir, 'berth.yaml')
  for (const [key, value] of fromFile(file, explicit !== undefined)) {
    const setting = known.find((candidate) => candidate.key === key)
    if (!setting) problems.push(`${file}: unknown key ${key}${suggestion(key, names(known))}`)
    else if (key === 'stateDir' && !explicit) problems.push(`${file}: stateDir cannot be set in its own directory`)
    else values.set(key, judged(setting, value, `${file}: ${key}`, problems))
  }
  for (const setting of known) {
    const variable = variableOf(setting.key)
    const text = env[variable] ?? env[olderNames[setting.key] ?? '']
    if (text !== undefined) values.set(setting.key, judged(setting, fromText(setting, text), variable, problems))
  }
  for (const [key, flag] of Object.entries(flags)) {
    const said = args[key as keyof typeof flags]
    const setting = known.find((candidate) => candidate.key === key)
    if (said === undefined || !setting) continue
    values.set(key, judged(setting, typeof said === 'string' ? fromText(setting, said) : said, flag, problems))
  }
  if (problems.length > 0) throw new CloudError('badRequest', problems.join('\n'))
  return shaped(values)
}

const flags = { stateDir: '--state-dir', bind: '--bind', portBase: '--port-base', demo: '--no-demo' } as const

/** By which the field's registries know a setting. */
const olderNames: Readonly<Record<string, string>> = {
  storageFlavor: 'SETTINGS_FLAVOR',
  storageConfig: 'DOCKER_REGISTRY_CONFIG',
}

/** Variables that are ours and no setting. */
const others = ['BERTH_CONFIG']

const names = (known: readonly Setting[]): string[] => known.map((setting) => setting.key)

function usualStateDir(env: Environment): string {
  return process.getuid?.() === 0 ? '/var/lib/berth' : join(env.HOME || homedir(), '.local', 'share', 'berth')
}

/** The machine's name without what a host name of the cloud may not have. */
function machineName(): string {
  return hostname().replace(/[^A-Za-z0-9.-]/g, '-') || 'localhost'
}

function unknownVariables(env: Environment, known: readonly Setting[]): string[] {
  const variables = [...others, ...names(known).map(variableOf)]
  return Object.keys(env)
    .filter((name) => name.startsWith('BERTH_') && !variables.includes(name))
    .map((name) => `unknown variable ${name}${suggestion(name, variables)}`)
}

/** The file's keys, nested ones joined by dots. A file that is not there has none, unless it was asked for by name. */
function fromFile(file: string, required: boolean): [string, unknown][] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (!required && (error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new CloudError('badRequest', `cannot read ${file}: ${messageOf(error)}`, { cause: error })
  }
  try {
    return flat(parseYaml(text) ?? {}, '')
  } catch (error) {
    throw new CloudError('badRequest', `${file} is not valid YAML: ${messageOf(error)}`, { cause: error })
  }
}

function flat(value: unknown, path: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    if (path === '') throw new Error('it must hold keys and values')
    return [[path, value]]
  }
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, path === '' ? key : `${path}.${key}`))
}

/** A variable's or a flag's text as the kind it stands for; text that does not fit stays text, to be refused. */
function fromText(setting: Setting, text: string): unknown {
  if (setting.kind === 'boolean') {
    if (/^(true|yes|on|1)$/i.test(text)) return true
    return /^(false|no|off|0)$/i.test(text) ? false : text
  }
  if (setting.kind === 'text') return text
  return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text)
}

/** The value when it is what the setting takes; otherwise the fallback, and a problem noted under `where`. */
function judged(setting: Setting, value: unknown, where: string, problems: string[]): unknown {
  if (value === null && setting.fallback === null) return null
  const article = setting.kind === 'integer' ? 'a whole number' : setting.kind === 'text' ? 'text' : `a ${setting.kind}`
  const fits =
    setting.kind === 'text'
      ? typeof value === 'string'
      : setting.kind === 'boolean'
        ? typeof value === 'boolean'
        : typeof value === 'number' && Number.isFinite(value) && (setting.kind === 'number' || Number.isInteger(value))
  // A path may be given relative to where the command was typed.
  const whole = setting.key === 'stateDir' && fits && value !== '' ? resolve(value as string) : value
  const wrong = fits ? (setting.check?.(whole as string & number) ?? null) : `must be ${article}`
  if (wrong === null) return whole
  const shown = setting.key === 'database' ? '' : `, not ${JSON.stringify(value) ?? String(value)}` // it may hold a password
  problems.push(`${where} ${wrong}${shown}`)
  return setting.fallback
}

/** The flat values as the nested, frozen `Config`; every key of it is in the list of settings or derived here. */
function shaped(values: ReadonlyMap<string, unknown>): Config {
  const nested: Record<string, unknown> = {}
  for (const [key, value] of values) {
    const [outer = '', inner] = key.split('.')
    if (inner === undefined) nested[outer] = value
    else nested[outer] = { ...(nested[outer] as object | undefined), [inner]: value }
  }
  nested.engineOwn = nested.engineSocket === ''
  Object.freeze(nested.quotas)
  Object.freeze(nested.securityCompliance)
  Object.freeze(nested.federation)
  return Object.freeze(nested) as unknown as Config
}
