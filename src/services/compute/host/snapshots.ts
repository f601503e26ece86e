import * as containers from '../../../machine/docker/containers.ts'
import type { Engine } from '../../../machine/docker/engine.ts'
import * as images from '../../../machine/docker/images.ts'
import { systemClock } from '../../../platform/clock.ts'
import { faultPoint } from '../../../platform/faults.ts'
import type { SnapshotOrder, SnapshotReport } from '../messages.ts'
import { cloudLabel, novaLabel, projectLabel, serverLabel, userLabel } from './container-spec.ts'
import { upload } from './upload.ts'

/**
 * Snapshots of this cloud's servers. The committed image is known by a tag of its own and not by a label: a label would be
 * part of the image, and so of every server that boots from it.
 */
export class Snapshots {
  private readonly engine: Engine
  private readonly repo: string
  constructor(engine: Engine, cloudId: string) {
    this.engine = engine
    this.repo = `berth-snapshot/${cloudId.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`
  }

  async carryOut(
    order: SnapshotOrder,
    container: () => Promise<string>,
    said: (state: SnapshotReport['state']) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const tag = `${this.repo}:${order.snapshotId}`
    const [earlier] = await images.listTagged(this.engine, tag, signal)
    const image = earlier?.Id ?? (await this.commit(order, await container(), signal))
    faultPoint('compute.snapshot.committed')
    said('committed')
    said('uploading')
    try {
      await upload(() => images.save(this.engine, image, signal), order, signal)
    } catch (thrown) {
      // Cut short it is asked for again, and goes on with what was committed.
      if (!signal.aborted) await this.remove(tag)
      throw thrown
    }
    faultPoint('compute.snapshot.uploaded')
    await this.remove(tag)
    faultPoint('compute.snapshot.removed')
    said('done')
  }

  /** What was committed and given up. `olderThanMs` leaves alone what a repeated order may still want. */
  async sweep(current: ReadonlySet<string>, olderThanMs: number, signal: AbortSignal): Promise<number> {
    const found = await images.listTagged(this.engine, `${this.repo}:*`, signal)
    const before = systemClock.nowMs() - olderThanMs
    const left = found.flatMap(({ RepoTags, Created }) =>
      (RepoTags ?? []).filter(
        (tag) =>
          tag.startsWith(`${this.repo}:`) && !current.has(tag.slice(this.repo.length + 1)) && Created * 1000 <= before,
      ),
    )
    for (const tag of left) await images.remove(this.engine, tag, signal)
    return left.length
  }

  /** By its tag: whoever else uses these layers keeps them. Not cut short, or the copy would stay. */
  private remove(tag: string): Promise<void> {
    return images.remove(this.engine, tag, AbortSignal.timeout(120_000))
  }

  private commit(order: SnapshotOrder, containerId: string, signal: AbortSignal): Promise<string> {
    // The container's labels would go into the image; they can be emptied, not left out.
    const labels = Object.fromEntries(
      [cloudLabel, serverLabel, projectLabel, userLabel, novaLabel].map((label) => [label, '']),
    )
    return containers.commit(this.engine, containerId, { repo: this.repo, tag: order.snapshotId, labels, signal })
  }
}
