import type { Config } from '../../platform/config.ts'
import { CloudError } from '../../platform/errors.ts'
import { type Call, configOf, parseCall, UsageError } from '../call.ts'
import { type EnginePaths, enginePaths } from '../own-engine.ts'
import { findCloudId, findStarted } from '../state.ts'
import { disk } from './disk.ts'
import { dropOld, move } from './move.ts'
import { prune } from './prune.ts'
import { show } from './show.ts'
import { userNamespaces } from './user-namespaces.ts'

/** What each word needs to do its work. */
export interface Care {
  readonly config: Config
  readonly cloudId: string
  /** Of the engine that the cloud uses, whosever it is. */
  readonly socket: string
  /** null: the engine is not ours, and its data and settings are none of our business. */
  readonly own: EnginePaths | null
  readonly operand: string | undefined
  readonly out: (line: string) => void
}

const words: Readonly<Record<string, (care: Care) => Promise<number>>> = {
  show,
  disk,
  prune,
  move,
  'drop-old': dropOld,
  userns: userNamespaces,
}

const shape = {
  flags: {
    'state-dir': { value: 'DIR', help: 'where the cloud is kept (BERTH_STATE_DIR)' },
    config: { value: 'FILE', help: 'settings to read (BERTH_CONFIG)' },
  },
  operand: 'WHAT',
}

/** `berth engine show|disk|prune|move DIR|drop-old|userns on|off`. */
export async function run(call: Call): Promise<number> {
  const [name = 'show', ...rest] = call.words
  const word = Object.hasOwn(words, name) ? words[name] : undefined
  if (!word) throw new UsageError(`berth engine can: ${Object.keys(words).join(', ')}`)
  const parsed = parseCall(shape, rest)
  const config = configOf({ ...call, ...parsed })
  const cloudId = findCloudId(config.stateDir)
  if (cloudId === undefined) throw new CloudError('unavailable', `there is no cloud in ${config.stateDir}`)
  const foreign = findStarted(config.stateDir)?.engineSocket || config.engineSocket
  const own = foreign ? null : enginePaths(config.stateDir, cloudId)
  return await word({ config, cloudId, socket: foreign || own!.socket, own, operand: parsed.operand, out: call.out })
}
