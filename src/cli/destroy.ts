import { existsSync, rmSync } from 'node:fs'
import * as containers from '../machine/docker/containers.ts'
import { openEngine } from '../machine/docker/engine.ts'
import type { Config } from '../platform/config.ts'
import { CloudError } from '../platform/errors.ts'
import { type Call, configOf } from './call.ts'
import { stopServices } from './down.ts'
import { enginePaths, removeEngine, unmountBelow } from './own-engine.ts'
import { findCloudId, tryLock } from './state.ts'

/** What every container of a cloud carries. */
const cloudLabel = 'io.berth.cloud'

/** `berth destroy --yes`. Repeatable: what a first try could not remove, a second one finds. */
export async function run(call: Call): Promise<number> {
  const config = configOf(call)
  const { stateDir } = config
  const cloudId = findCloudId(stateDir)
  if (cloudId === undefined) {
    call.out(`there is no cloud in ${stateDir}`)
    return 0
  }
  if (!call.flags.yes) {
    for (const line of wouldRemove(config, cloudId)) call.out(line)
    return 2
  }
  if (process.getuid?.() !== 0) throw new CloudError('forbidden', 'only root can remove what root made')
  const say = (what: string) => call.out(`removed: ${what}`)

  await stopServices(stateDir)
  const lock = tryLock(stateDir)
  if (!lock) throw new CloudError('unavailable', `another process holds ${stateDir}; try again when it has ended`)
  if (config.engineOwn) {
    await removeEngine(enginePaths(stateDir, cloudId))
    say('engine, with every server')
  } else say(await emptyEngine(config.engineSocket, cloudId))
  // Loaded only now: to say what would go needs none of it.
  const { removeEverything } = await import('../services/network/index.ts')
  await removeEverything(cloudId, { stateDir })
  say('network namespaces, links and rules')
  await unmountBelow(stateDir)
  lock.release()
  rmSync(stateDir, { recursive: true, force: true })
  say(stateDir)
  if (config.database !== 'sqlite') call.out('kept: the PostgreSQL database, which is not on this machine to remove')
  return 0
}

function wouldRemove(config: Config, cloudId: string): string[] {
  const engine = config.engineOwn
    ? `its engine with every server, image and file in it${existsSync(enginePaths(config.stateDir, cloudId).kept) ? '' : ' (none is here)'}`
    : `its servers in the engine at ${config.engineSocket}`
  return [
    `this would remove cloud ${cloudId}:`,
    `  ${engine}`,
    '  its network namespaces, links and rules on this machine',
    `  ${config.stateDir} with its database, images, credentials and logs`,
    'nothing was removed; to do it: berth destroy --yes',
  ]
}

/** In an engine that is not ours only what carries this cloud's label is touched. Returns what was removed. */
async function emptyEngine(socket: string, cloudId: string): Promise<string> {
  const { removeEverything } = await import('../services/network/index.ts')
  const engine = openEngine(socket)
  const signal = AbortSignal.timeout(600_000)
  let count = 0
  try {
    const removeContainers = async () => {
      for (const { Id } of await containers.list(engine, [`${cloudLabel}=${cloudId}`], signal)) {
        await containers.remove(engine, Id, signal)
        count++
      }
    }
    await removeEverything(cloudId, { engine, removeContainers })
    return `${count} servers and their networks in the engine at ${socket}`
  } finally {
    await engine.close()
  }
}
