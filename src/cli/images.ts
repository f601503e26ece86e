import { CloudError } from '../platform/errors.ts'
import { type Call, configOf, UsageError } from './call.ts'
import { askControl } from './control-socket.ts'

/** `berth images gc [--dry-run]` and `berth images scrub`: the running cloud does it, while it goes on. */
export async function run(call: Call): Promise<number> {
  const { stateDir } = configOf(call)
  if (call.operand === 'gc') return collect(call, stateDir, call.flags['dry-run'] === true)
  if (call.operand === 'scrub' && call.flags['dry-run'] === undefined) return scrub(call, stateDir)
  throw new UsageError('berth images can: gc [--dry-run], scrub')
}

async function ask<T>(stateDir: string, question: string, said?: unknown): Promise<T> {
  const found = await askControl<T>(stateDir, question, said)
  if (found.state === 'up') return found.answer
  throw new CloudError('unavailable', `the cloud in ${stateDir} does not run; run: berth up -d`)
}

async function collect({ out }: Call, stateDir: string, dryRun: boolean): Promise<number> {
  const found = await ask<Record<string, number>>(stateDir, 'collect-garbage', { dryRun })
  const { uploads = 0, blobs = 0, files = 0, bytes } = found
  const size = bytes === undefined ? '' : ` (${(bytes / 1024 / 1024).toFixed(1)} MiB)`
  const verb = dryRun ? 'would be removed' : 'removed'
  out(`${verb}: ${uploads} unfinished uploads, ${blobs} blobs that no manifest needs, ${files} files${size}`)
  if (dryRun && blobs > 0) out('the files of those blobs go with them, unless others have the same')
  return 0
}

async function scrub({ out }: Call, stateDir: string): Promise<number> {
  const { damaged, mibPerSecond } = await ask<{ damaged: string[]; mibPerSecond: number }>(stateDir, 'scrub')
  for (const digest of damaged) out(`damaged: ${digest}; pushing it again mends it`)
  if (mibPerSecond === 0) out('nothing is looked at: scrubMiBPerSecond is 0')
  else out(`all that is stored is looked at from now on, at ${mibPerSecond} MiB/s; berth status shows registry.scrub`)
  return damaged.length > 0 ? 1 : 0
}
