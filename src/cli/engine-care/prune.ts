import { openEngine } from '../../machine/docker/engine.ts'
import * as images from '../../machine/docker/images.ts'
import { diskUsage } from '../../machine/docker/usage.ts'
import { CloudError } from '../../platform/errors.ts'
import { findStarted } from '../state.ts'
import type { Care } from './index.ts'

/**
 * `berth engine prune`: images that no container uses. In an engine that is not ours, only those of our registry.
 * Snapshots on their way are left alone; a server that is just being made pulls again what it misses.
 */
export async function prune({ config, socket, own, out }: Care): Promise<number> {
  const engine = openEngine(socket)
  const signal = AbortSignal.timeout(600_000)
  try {
    const before = await diskUsage(engine, signal)
    const registry = findStarted(config.stateDir)?.registryHost
    const ours = (names: readonly string[]) =>
      names.some((name) => registry !== undefined && name.startsWith(`${registry}/images/`))
    let removed = 0
    for (const { Id, RepoTags, RepoDigests, Containers } of before.Images ?? []) {
      const names = [...(RepoTags ?? []), ...(RepoDigests ?? [])]
      const snapshot = names.some((name) => name.startsWith('berth-snapshot/'))
      if (Containers !== 0 || snapshot || !(own || ours(names))) continue
      removed += await images.remove(engine, Id, signal).then(
        () => 1,
        (thrown: unknown) => {
          // A container began to use it, or another image stands on it.
          if (thrown instanceof CloudError && thrown.kind === 'conflict') return 0
          throw thrown
        },
      )
    }
    const after = await diskUsage(engine, signal)
    out(`removed: ${removed} images, ${((before.LayersSize - after.LayersSize) / 1024 ** 2).toFixed(1)} MiB`)
    return 0
  } finally {
    await engine.close()
  }
}
