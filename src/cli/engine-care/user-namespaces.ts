import { readFileSync } from 'node:fs'
import * as containers from '../../machine/docker/containers.ts'
import { openEngine } from '../../machine/docker/engine.ts'
import { CloudError } from '../../platform/errors.ts'
import { UsageError } from '../call.ts'
import { probeEngine } from '../engine-probe.ts'
import { raiseKeyLimits, userNamespacesRefusal } from '../kernel.ts'
import { chosenUserNamespaces, type EnginePaths, startEngine, stopEngine, writeSettings } from '../own-engine.ts'
import { tryLock, writePrivate } from '../state.ts'
import type { Care } from './index.ts'

/**
 * `berth engine userns on|off`. The engine keeps images and containers of each mapping apart and shows only those of the
 * present one, so a server's container would be out of sight, and the cloud would make it anew without what it wrote.
 * Therefore only without containers: a shelved server has none, and comes back from its image.
 * Source: Docker docs, "Isolate containers with a user namespace", limitations.
 */
export async function userNamespaces(care: Care): Promise<number> {
  const { own, operand, out, config, cloudId } = care
  if (operand !== 'on' && operand !== 'off') throw new UsageError('berth engine userns needs: on or off')
  if (!own) throw new CloudError('forbidden', 'this engine is not ours; its owner decides on user namespaces')
  const wanted = operand === 'on'
  if (chosenUserNamespaces(own) === wanted) {
    out(`user namespaces are ${operand} already`)
    return 0
  }
  const refusal = wanted ? userNamespacesRefusal() : null
  if (refusal) throw new CloudError('unavailable', `this kernel cannot: ${refusal}`)
  const lock = tryLock(config.stateDir)
  if (!lock) throw new CloudError('conflict', 'the cloud runs; stop it first: berth down')
  try {
    await startEngine(own)
    await requireEmpty(own, cloudId)
    await change(own, wanted)
    out(`user namespaces are ${operand}; images are pulled again as servers need them`)
    out(`what the engine kept under the other mapping stays in ${own.kept} until berth destroy, or the way back`)
    return 0
  } finally {
    lock.release()
  }
}

async function requireEmpty({ socket }: EnginePaths, cloudId: string): Promise<void> {
  const engine = openEngine(socket)
  try {
    const found = await containers.list(engine, [`io.berth.cloud=${cloudId}`], AbortSignal.timeout(20_000))
    if (found.length === 0) return
    const names = found.flatMap(({ Names }) => Names[0]?.slice(1) ?? [])
    const shown = names.slice(0, 5).join(', ') + (names.length > 5 ? ' …' : '')
    throw new CloudError(
      'conflict',
      `${found.length} servers have containers here (${shown}), which an engine with the other mapping does not see. Shelve them (openstack server shelve) or delete them; afterwards unshelve.`,
    )
  } finally {
    await engine.close()
  }
}

/** An engine that will not run so goes back to how it was. */
async function change(own: EnginePaths, wanted: boolean): Promise<void> {
  const before = readFileSync(own.settings, 'utf8')
  await stopEngine(own)
  writeSettings(own, wanted)
  try {
    if (wanted) raiseKeyLimits(() => {})
    await startEngine(own)
    await probeEngine(own.socket)
  } catch (error) {
    await stopEngine(own)
    writePrivate(own.settings, before)
    await startEngine(own)
    throw error
  }
}
