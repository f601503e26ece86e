import type { Engine } from '../../../machine/docker/engine.ts'
import * as networks from '../../../machine/docker/networks.ts'
import { CloudError } from '../../../platform/errors.ts'
import { cloudLabel, driverOf, networkLabel, networkOfDockerName } from './names.ts'

/** The engine's own notion of our networks: a name, our driver, and nothing else. */
export interface DockerNetworks {
  /** Repeatable, and cheap when it was there a moment ago. @throws CloudError `unavailable` when the engine is away */
  ensure(name: string, signal: AbortSignal): Promise<void>
  /** All of one network's, however many NICs needed one. */
  removeAll(networkId: string, signal: AbortSignal): Promise<void>
  /** Asks the engine what it has, and removes those of networks that `wanted` does not know. */
  refresh(wanted: (networkId: string) => boolean, signal: AbortSignal): Promise<void>
  /** The engine may have lost some: ask again before relying on any. */
  forget(): void
}

/** An engine that lost its networks is noticed within this time. */
const trustMs = 10_000
const engineTimeoutMs = 60_000

export function dockerNetworks(engine: Engine, cloudId: string): DockerNetworks {
  let known: Set<string> | null = null
  let askedAt = 0
  const making = new Map<string, Promise<void>>()
  const label = `${cloudLabel}=${cloudId}`

  async function names(signal: AbortSignal): Promise<Set<string>> {
    if (known && performance.now() - askedAt < trustMs) return known
    const found = await networks.list(engine, [label], signal)
    askedAt = performance.now()
    known = new Set(found.map((network) => network.Name))
    return known
  }

  async function make(name: string): Promise<void> {
    const signal = AbortSignal.timeout(engineTimeoutMs) // not one caller's: others wait for it too
    if ((await names(signal)).has(name)) return
    const wanted = {
      Name: name,
      Driver: driverOf(cloudId),
      Labels: { [cloudLabel]: cloudId, [networkLabel]: networkOfDockerName(name) ?? '' },
      IPAM: { Driver: 'null' },
    }
    await networks.create(engine, wanted, signal).catch((error: unknown) => {
      if (!(error instanceof CloudError && error.kind === 'conflict')) throw error
    })
    known?.add(name)
  }

  return {
    async ensure(name, signal) {
      signal.throwIfAborted()
      const mine = making.get(name) ?? make(name).finally(() => making.delete(name))
      making.set(name, mine)
      await abortable(mine, signal)
    },
    async removeAll(networkId, signal) {
      known = null
      for (const name of await names(signal))
        if (networkOfDockerName(name) === networkId) await networks.remove(engine, name, signal)
      known = null
    },
    async refresh(wanted, signal) {
      known = null
      for (const name of await names(signal)) {
        const networkId = networkOfDockerName(name)
        if (networkId !== null && wanted(networkId)) continue
        await networks.remove(engine, name, signal)
      }
      known = null
    },
    forget() {
      known = null
    },
  }
}

const abortable = (work: Promise<void>, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
