import { type Call, UsageError } from './call.ts'
import { usageOf, verbs } from './verbs.ts'

/** `berth help [VERB]`. */
export async function run({ operand, out }: Call): Promise<number> {
  if (operand === undefined) {
    out('Berth: a private cloud whose hypervisor is Docker.\n')
    out(`${usageOf('')}\n`)
    for (const [name, { summary }] of Object.entries(verbs)) out(`  ${name.padEnd(9)} ${summary}`)
    out('\nberth help VERB says more. The settings are in docs/operators/configuration.md.')
    return 0
  }
  const verb = Object.hasOwn(verbs, operand) ? verbs[operand] : undefined
  if (!verb) throw new UsageError(`Unknown verb '${operand}'`)
  out(`berth ${operand}: ${verb.summary}\n\n${usageOf(operand)}`)
  const flags = Object.entries(verb.flags).filter(([, flag]) => !flag.hidden)
  if (flags.length > 0) out('')
  for (const [name, { short, value, help }] of flags) {
    const left = `${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`
    out(`  ${left.padEnd(18)} ${help}`)
  }
  return 0
}
