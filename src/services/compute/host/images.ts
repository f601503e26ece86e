import type { Engine } from '../../../machine/docker/engine.ts'
import * as engineImages from '../../../machine/docker/images.ts'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import type { ServerOrder } from '../messages.ts'

/** One pull of an image at a time on this host, whoever waits for it. */
export class Images {
  private readonly engine: Engine
  private readonly pulls = new Map<string, { done: Promise<void>; waiting: number; abort: AbortController }>()
  /** Config digest → the engine's own id, where that is another. */
  private readonly ids = new Map<string, string>()
  constructor(engine: Engine) {
    this.engine = engine
  }

  /** What the engine calls the image, if it has it. */
  idOf({ configDigest }: ServerOrder['image']): string {
    return this.ids.get(configDigest) ?? configDigest
  }

  /** Pulls the image. The pull goes on while anybody waits, whose signal was not the one that started it. */
  async pull(image: ServerOrder['image'], signal: AbortSignal): Promise<void> {
    const pull = this.pulls.get(image.configDigest) ?? this.begin(image)
    pull.waiting += 1
    const gaveUp = Promise.withResolvers<never>()
    const giveUp = () => gaveUp.reject(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      signal.throwIfAborted()
      await Promise.race([pull.done, gaveUp.promise])
    } finally {
      signal.removeEventListener('abort', giveUp)
      pull.waiting -= 1
      if (pull.waiting === 0) pull.abort.abort()
    }
  }

  private begin(image: ServerOrder['image']) {
    const abort = new AbortController()
    const done = this.fetch(image, abort.signal).finally(() => this.pulls.delete(image.configDigest))
    done.catch(() => {}) // those who wait hear of it
    const pull = { done, waiting: 0, abort }
    this.pulls.set(image.configDigest, pull)
    return pull
  }

  private async fetch({ imageId, reference, configDigest, pullToken }: ServerOrder['image'], signal: AbortSignal) {
    try {
      await engineImages.pull(this.engine, reference, pullToken, signal)
    } catch (thrown) {
      signal.throwIfAborted()
      const kind = thrown instanceof CloudError ? thrown.kind : 'internal'
      throw new CloudError(kind, `Image ${imageId} could not be pulled: ${messageOf(thrown)}`, { cause: thrown })
    }
    if (await this.has(configDigest, signal)) return
    // Engines that keep images in containerd call them by the manifest's digest.
    const manifestDigest = reference.slice(reference.indexOf('@') + 1)
    if (!(await this.has(manifestDigest, signal)))
      throw new CloudError('internal', `Image ${imageId}: what the registry sent is not ${configDigest}.`)
    this.ids.set(configDigest, manifestDigest)
  }

  private async has(id: string, signal: AbortSignal): Promise<boolean> {
    try {
      return (await engineImages.inspect(this.engine, id, signal)).Id === id
    } catch (thrown) {
      if (thrown instanceof CloudError && thrown.kind === 'notFound') return false
      throw thrown
    }
  }
}
