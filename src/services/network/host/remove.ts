import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Engine } from '../../../machine/docker/engine.ts'
import { deleteNamespace, listNamespaces } from '../../../machine/net/namespaces.ts'
import { messageOf } from '../../../platform/errors.ts'
import type { Logger } from '../../../platform/log.ts'
import { isOurs } from './agent.ts'
import { dockerNetworks } from './docker-networks.ts'
import { leaveExternal } from './external.ts'
import { networkOfNamespace, socketOf } from './names.ts'
import { servePlugin } from './plugin-server.ts'

export interface Removal {
  cloudId: string
  stateDir: string
  /** Null when there is no engine any more. */
  engine: Engine | null
  log: Logger
  /** Removes the cloud's containers. Run while the plug-in answers: Docker waits half a minute a container for one that does not. */
  removeContainers?: () => Promise<void>
}

/**
 * Removes all that this cloud's networks made on the machine: Docker networks, namespaces with their links and rules,
 * the machine's own rules and guard routes, the plug-in's socket, and the orders on disk. Repeatable; for `berth destroy`.
 * Answers what could not be removed.
 */
export async function removeEverything({
  cloudId,
  stateDir,
  engine,
  log,
  removeContainers,
}: Removal): Promise<string[]> {
  const failures: string[] = []
  const attempt = async (what: string, work: () => Promise<void>) => {
    await work().catch((error) => failures.push(`${what}: ${messageOf(error)}`))
  }
  const done = () => ({})
  const closePlugin = await servePlugin(
    socketOf(cloudId),
    {
      'Plugin.Activate': () => ({ Implements: ['NetworkDriver'] }),
      'NetworkDriver.GetCapabilities': () => ({ Scope: 'local', ConnectivityScope: 'global' }),
      'NetworkDriver.Leave': done,
      'NetworkDriver.DeleteEndpoint': done,
      'NetworkDriver.DeleteNetwork': done,
      'NetworkDriver.RevokeExternalConnectivity': done,
    },
    log,
  )
  if (removeContainers) await attempt('containers', removeContainers)
  if (engine)
    await attempt('Docker networks', () =>
      dockerNetworks(engine, cloudId).refresh(() => false, AbortSignal.timeout(60_000)),
    )
  await closePlugin()
  for (const namespace of await listNamespaces())
    if (networkOfNamespace(namespace) !== null && (await isOurs(namespace, cloudId)))
      await attempt(`namespace ${namespace}`, () => deleteNamespace(namespace))
  await attempt('rules and routes', () => leaveExternal(cloudId))
  await attempt('orders', () => rm(join(stateDir, 'host', 'network'), { recursive: true, force: true }))
  return failures
}
