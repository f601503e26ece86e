import { rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Engine } from '../../../machine/docker/engine.ts'
import { ipBatchForced, listLinks } from '../../../machine/net/links.ts'
import { deleteNamespace, listNamespaces } from '../../../machine/net/namespaces.ts'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import { type Logger, newLogger } from '../../../platform/log.ts'
import { stopAllDnsmasq } from './dnsmasq.ts'
import { dockerNetworks } from './docker-networks.ts'
import { leaveExternal } from './external.ts'
import { isOurs } from './machine-facts.ts'
import { aliasOf, networkOfNamespace, runDirOf, socketOf } from './names.ts'
import { servePlugin } from './plugin-server.ts'
import { removeRouters } from './router-agent.ts'

export interface Leftovers {
  /** Its networks of this cloud go too. Left out when there is no engine any more. */
  engine?: Engine
  /** The folder of orders goes too. */
  stateDir?: string
  log?: Logger
  /** Removes the cloud's containers, while Docker's calls are answered. */
  removeContainers?: () => Promise<void>
}

/**
 * Removes all that this cloud's networks made on the machine: Docker networks, namespaces with their links and rules,
 * the machine's own rules and guard routes, the plug-in's socket. Repeatable; for `berth destroy`, when no process of
 * the cloud runs any more. @throws CloudError that names what could not be removed, after trying everything
 */
export async function removeEverything(cloudId: string, leftovers: Leftovers = {}): Promise<void> {
  const { engine, stateDir, removeContainers, log = newLogger('silent') } = leftovers
  const failures: string[] = []
  const attempt = async (what: string, work: () => Promise<void>) => {
    await work().catch((error) => failures.push(`${what}: ${messageOf(error)}`))
  }
  await answeringDocker(cloudId, log, async () => {
    if (removeContainers) await attempt('containers', removeContainers)
    if (engine) await attempt('Docker networks', () => removeDockerNetworks(engine, cloudId))
  })
  // By name, because the links of a namespace go some time after it.
  const ends = (await listLinks(null)).filter((link) => link.ifalias === aliasOf(cloudId))
  await ipBatchForced(
    null,
    ends.map((link) => `link delete ${link.ifname}`),
  )
  await attempt('DHCP and DNS', () => stopAllDnsmasq(cloudId))
  await attempt('run-time files', () => removeRunFiles(cloudId))
  await attempt('routers', () => removeRouters(cloudId))
  for (const namespace of await listNamespaces())
    if (networkOfNamespace(namespace) !== null && (await isOurs(namespace, cloudId)))
      await attempt(`namespace ${namespace}`, () => deleteNamespace(namespace))
  await attempt('rules and routes', () => leaveExternal(cloudId))
  if (stateDir) await attempt('orders', () => rm(join(stateDir, 'host', 'network'), { recursive: true, force: true }))
  if (failures.length > 0) throw new CloudError('internal', `not removed: ${failures.join('; ')}`)
}

/** Only ours: an engine may keep its socket beside them. */
async function removeRunFiles(cloudId: string): Promise<void> {
  await rm(join(runDirOf(cloudId), 'servers'), { recursive: true, force: true })
  for (const folder of [runDirOf(cloudId), dirname(runDirOf(cloudId))])
    await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT') throw error
    })
}

const removeDockerNetworks = (engine: Engine, cloudId: string): Promise<void> =>
  dockerNetworks(engine, cloudId).refresh(() => false, AbortSignal.timeout(60_000))

/**
 * Lets `work` take containers and networks away while no network host runs: Docker asks our plug-in at each, and waits
 * half a minute a container for one that does not answer.
 */
export async function answeringDocker(cloudId: string, log: Logger, work: () => Promise<void>): Promise<void> {
  const done = () => ({})
  const close = await servePlugin(
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
  try {
    await work()
  } finally {
    await close()
  }
}
