import { rmSync } from 'node:fs'
import * as containers from '../machine/docker/containers.ts'
import { openEngine } from '../machine/docker/engine.ts'
import * as images from '../machine/docker/images.ts'
import * as volumes from '../machine/docker/volumes.ts'
import { CloudError } from '../platform/errors.ts'
import { type Call, configOf } from './call.ts'
import { stopServices } from './down.ts'
import { enginePaths, removeEngine, unmountBelow } from './own-engine.ts'
import { findCloudId, findStarted, tryLock } from './state.ts'

/** What every container of a cloud carries. */
const cloudLabel = 'io.berth.cloud'

/** `berth destroy --yes`. Repeatable: what a first try could not remove, a second one finds. */
export async function run(call: Call): Promise<number> {
  const { stateDir, ...settings } = configOf(call)
  const started = findStarted(stateDir)
  const engineSocket = started?.engineSocket ?? settings.engineSocket
  const cloudId = findCloudId(stateDir)
  if (cloudId === undefined) {
    call.out(`there is no cloud in ${stateDir}`)
    return 0
  }
  if (!call.flags.yes) {
    for (const line of wouldRemove(stateDir, cloudId, engineSocket)) call.out(line)
    return 2
  }
  if (process.getuid?.() !== 0) throw new CloudError('forbidden', 'only root can remove what root made')
  const say = (what: string) => call.out(`removed: ${what}`)

  await stopServices(stateDir)
  const lock = tryLock(stateDir)
  if (!lock) throw new CloudError('unavailable', `another process holds ${stateDir}; try again when it has ended`)
  if (engineSocket === '') {
    await removeEngine(enginePaths(stateDir, cloudId))
    say('engine, with every server')
  } else say(await emptyEngine(engineSocket, cloudId, started?.registryHost))
  // Loaded only now: to say what would go needs none of it.
  const { removeEverything } = await import('../services/network/index.ts')
  await removeEverything(cloudId, { stateDir })
  say('network namespaces, links and rules')
  await unmountBelow(stateDir)
  rmSync(stateDir, { recursive: true, force: true })
  lock.release()
  say(stateDir)
  if (settings.database !== 'sqlite') call.out('kept: the PostgreSQL database, which is not on this machine to remove')
  return 0
}

const wouldRemove = (stateDir: string, cloudId: string, engineSocket: string): string[] => [
  `this would remove cloud ${cloudId}:`,
  engineSocket === ''
    ? '  its engine with every server, image and file in it'
    : `  its servers and images in the engine at ${engineSocket}`,
  '  its network namespaces, links and rules on this machine',
  `  ${stateDir} with its database, images, credentials and logs`,
  'nothing was removed; to do it: berth destroy --yes',
]

/** In an engine that is not ours only what carries this cloud's label, or came from its registry, is touched. Returns what was removed. */
async function emptyEngine(socket: string, cloudId: string, registryHost?: string): Promise<string> {
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
      for (const name of await volumes.list(engine, `${cloudLabel}=${cloudId}`, signal)) {
        await volumes.remove(engine, name, signal)
      }
    }
    await removeEverything(cloudId, { engine, removeContainers })
    const pulled = registryHost ? await images.listTagged(engine, `${registryHost}/images/*`, signal) : []
    // One that something else uses or names too is no longer ours alone.
    for (const { Id } of pulled) await images.remove(engine, Id, signal).catch(() => {})
    return `servers (${count}), their networks and images in the engine at ${socket}`
  } finally {
    await engine.close()
  }
}
