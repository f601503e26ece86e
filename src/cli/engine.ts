import { openEngine } from '../machine/docker/engine.ts'
import { info, version } from '../machine/docker/system.ts'
import type { Config } from '../platform/config.ts'
import { CloudError } from '../platform/errors.ts'
import { probeEngine } from './engine-probe.ts'
import { raiseKeyLimits, userNamespacesRefusal } from './kernel.ts'
import {
  chosenUserNamespaces,
  type EnginePaths,
  enginePaths,
  removeEngine,
  startEngine,
  writeSettings,
} from './own-engine.ts'

export interface ReadyEngine {
  readonly socket: string
  /** `Docker 20.10.24, API 1.41, user namespaces`: for the progress line. */
  readonly description: string
  /** Our own engine's; null for one that is someone else's. */
  readonly own: EnginePaths | null
  readonly startedNow: boolean
}

/** The socket of the cloud's engine, whether or not it runs. */
export const socketOf = (config: Config, cloudId: string): string =>
  config.engineOwn ? enginePaths(config.stateDir, cloudId).socket : config.engineSocket

/**
 * The engine the settings name, or our own, started when it does not run. On an engine of ours that is new, a container
 * is run once, so that a kernel that cannot carry one is found now and not with the first server.
 * @throws CloudError when it is unreachable, too old, or cannot run a container.
 */
export async function ensureEngine(config: Config, cloudId: string, say: (line: string) => void): Promise<ReadyEngine> {
  if (!config.engineOwn) {
    const description = await describe(config.engineSocket)
    return { socket: config.engineSocket, description, own: null, startedNow: false }
  }
  const paths = enginePaths(config.stateDir, cloudId)
  const known = chosenUserNamespaces(paths)
  if (known === undefined) {
    await firstStart(config, paths, say)
    return { socket: paths.socket, description: await describe(paths.socket), own: paths, startedNow: true }
  }
  if (known) raiseKeyLimits(say)
  const { adopted } = await startEngine(paths)
  return { socket: paths.socket, description: await describe(paths.socket), own: paths, startedNow: !adopted }
}

async function firstStart(config: Config, paths: EnginePaths, say: (line: string) => void): Promise<void> {
  const wish = config.engineUserNamespaces
  const refusal = wish === 'off' ? 'switched off' : userNamespacesRefusal()
  if (wish === 'on' && refusal) throw new CloudError('unavailable', `user namespaces are asked for, but ${refusal}`)
  const tries = refusal ? [false] : wish === 'on' ? [true] : [true, false]
  for (const [i, userNamespaces] of tries.entries()) {
    try {
      writeSettings(paths, userNamespaces)
      if (userNamespaces) raiseKeyLimits(say)
      await startEngine(paths)
      await probeEngine(paths.socket)
      return
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      await removeEngine(paths)
      if (i === tries.length - 1) throw error
      say(`the engine cannot run containers in a user namespace (${reason}); trying without`)
    }
  }
}

async function describe(socket: string): Promise<string> {
  const engine = openEngine(socket)
  const signal = AbortSignal.timeout(10_000)
  try {
    const api = await engine.apiVersion(signal)
    const [{ Version }, { SecurityOptions }] = await Promise.all([version(engine, signal), info(engine, signal)])
    const mapped = SecurityOptions?.some((option) => option.includes('userns')) ? ', user namespaces' : ''
    return `Docker ${Version}, API ${api}${mapped}`
  } catch (error) {
    if (!signal.aborted) throw error
    throw new CloudError('unavailable', `The Docker Engine at ${socket} does not answer within 10 s.`, { cause: error })
  } finally {
    await engine.close()
  }
}
