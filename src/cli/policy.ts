import { parseArgs } from 'node:util'
import type { Explained } from '../platform/auth/policy.ts'
import { CloudError, messageOf } from '../platform/errors.ts'
import { type Call, configOf, UsageError } from './call.ts'
import { askControl } from './control-socket.ts'
import type { PolicyAnswer, PolicyQuestion } from './running-cloud.ts'

const usage =
  'berth policy check RULE --as USER [--project P | --domain D | --system] [--target KEY=VALUE …] [--state-dir DIR]'

const options = {
  as: { type: 'string' },
  project: { type: 'string' },
  domain: { type: 'string' },
  system: { type: 'boolean' },
  target: { type: 'string', multiple: true },
  'state-dir': { type: 'string' },
  config: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** `berth policy check`: exit code 0 when the rule allows, 1 when it refuses. */
export async function run(call: Call): Promise<number> {
  const { values, positionals } = parsed(call.words)
  if (values.help) {
    call.out(`usage: ${usage}`)
    return 0
  }
  const [verb, rule, ...pairs] = positionals
  if (verb !== 'check' || rule === undefined || values.as === undefined)
    throw new UsageError(`it is called so: ${usage}`)
  const { stateDir } = configOf({ ...call, flags: { 'state-dir': values['state-dir'], config: values.config } })
  const { project, domain, system } = values
  const question: PolicyQuestion = {
    ...{ rule, user: values.as, target: targetOf([...(values.target ?? []), ...pairs]) },
    ...(project !== undefined && { project }),
    ...(domain !== undefined && { domain }),
    ...(system !== undefined && { system }),
  }
  const said = await askControl<PolicyAnswer>(stateDir, 'policy-check', question)
  if (said.state !== 'up')
    throw new CloudError('unavailable', `the cloud in ${stateDir} does not run; run: berth up -d`)
  for (const line of linesOf(said.answer)) call.out(line)
  return said.answer.explained.allowed ? 0 : 1
}

function parsed(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options, strict: true, allowPositionals: true })
  } catch (error) {
    throw new UsageError(messageOf(error).split('. ')[0] ?? '', { cause: error })
  }
}

function targetOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new UsageError(`'${pair}' is not KEY=VALUE`)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

/** The verdict, who asked, and the tree of checks with a mark on each. */
export function linesOf({ service, user, scope, roles, target, explained }: PolicyAnswer): string[] {
  const rule = explained.text.replace(/^rule:/, '')
  const named = Object.entries(target).filter(([, value]) => value !== null)
  return [
    `${explained.allowed ? 'allowed' : 'refused'}: ${rule} (${service})`,
    `  user ${user}, ${scope}, roles: ${roles.length > 0 ? roles.join(', ') : 'none'}`,
    `  target: ${named.map(([key, value]) => `${key}=${String(value)}`).join(' ')}`,
    '',
    ...tree(explained, ''),
  ]
}

function tree({ text, allowed, because, parts }: Explained, indent: string): string[] {
  const reason = because === undefined ? '' : `   ${because}`
  return [`${indent}${allowed ? '+' : '-'} ${text}${reason}`, ...parts.flatMap((part) => tree(part, `${indent}  `))]
}
