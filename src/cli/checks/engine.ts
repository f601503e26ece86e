import type { Config } from '../../config.ts'
import { openEngine } from '../../machine/docker/engine.ts'
import { info, version } from '../../machine/docker/system.ts'
import { messageOf } from '../../platform/errors.ts'
import { socketOf } from '../engine.ts'
import { enginePaths, findEngine } from '../own-engine.ts'
import { findCloudId, findStarted } from '../state.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** The engine of the cloud: whether it answers, what it speaks, how it keeps files and users apart. */
export async function checkEngine(wanted: Config): Promise<Finding[]> {
  const socket = wanted.engineSocket || findStarted(wanted.stateDir)?.engineSocket || ''
  const config = { ...wanted, engineSocket: socket, engineOwn: socket === '' }
  const cloudId = findCloudId(config.stateDir)
  if (config.engineOwn && (!cloudId || findEngine(enginePaths(config.stateDir, cloudId)) === undefined))
    return [ok('engine: does not run; berth up starts one')]
  const engine = openEngine(socketOf(config, cloudId ?? ''))
  const signal = AbortSignal.timeout(10_000)
  try {
    const api = await engine.apiVersion(signal)
    const [{ Version }, facts] = await Promise.all([version(engine, signal), info(engine, signal)])
    const mapped = facts.SecurityOptions?.some((option) => option.includes('userns')) ?? false
    return [
      ok(`engine: Docker ${Version}, API ${api}, at ${engine.socketPath}`),
      facts.Driver.startsWith('overlay') || ['btrfs', 'zfs'].includes(facts.Driver)
        ? ok(`engine: storage driver ${facts.Driver}`)
        : warn(`engine: storage driver ${facts.Driver}`, 'each server copies its whole image; overlay2 does not'),
      mapped
        ? ok('engine: user namespaces')
        : warn('engine: no user namespaces', 'set userns-remap in the engine: root in a server is then nobody here'),
      facts.PidsLimit
        ? ok('engine: bounds processes')
        : warn('engine: cannot bound processes', 'one server can take all'),
    ]
  } catch (error) {
    const advice = config.engineOwn ? 'see engine.log in the state directory' : 'start it, or mend engineSocket'
    return [fail(`engine: ${messageOf(error)}`, advice)]
  } finally {
    await engine.close()
  }
}
