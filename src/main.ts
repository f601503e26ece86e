import { type Call, parseCall, UsageError } from './cli/call.ts'
import { usageOf, verbs } from './cli/verbs.ts'
import { environment } from './config.ts'
import { CloudError } from './platform/errors.ts'
import { suggestion } from './words.ts'

const out = (line: string): boolean => process.stdout.write(`${line}\n`)
const err = (line: string): boolean => process.stderr.write(`${line}\n`)

/** Exit codes: 0 done, 1 it failed, 2 the call made no sense, 3 (`status`) not running. */
async function main([typed = 'help', ...words]: string[]): Promise<number> {
  const name = ({ '-h': 'help', '--help': 'help', '--version': 'version', '-V': 'version' } as const)[typed] ?? typed
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  try {
    if (!verb) throw new UsageError(`Unknown verb '${typed}'${suggestion(typed, Object.keys(verbs))}`)
    const asksHow = !verb.raw && words.some((word) => word === '-h' || word === '--help')
    const parsed = verb.raw ? { flags: {}, operand: undefined } : parseCall(verb, asksHow ? [] : words)
    const call: Call = { ...parsed, words, env: environment(), out, err }
    if (asksHow) return await (await import('./cli/help.ts')).run({ ...call, operand: name })
    return await (await verb.load()).run(call)
  } catch (error) {
    if (error instanceof UsageError) {
      err(`berth: ${error.message}`)
      err(usageOf(verb ? name : ''))
      return 2
    }
    // A reason for people; anything else is a fault of ours, and its trace is worth having.
    if (!(error instanceof CloudError)) err(`berth: ${error instanceof Error ? error.stack : String(error)}`)
    else for (const line of error.message.split('\n')) err(`berth: ${line}`)
    return error instanceof CloudError && error.kind === 'badRequest' ? 2 : 1
  }
}

// A reader that has read enough (`berth status | head -1`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

process.exitCode = await main(process.argv.slice(2))
