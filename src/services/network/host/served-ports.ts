import { CloudError } from '../../../platform/errors.ts'
import type { PortOrder } from '../messages.ts'

/** Which ports' orders are in the kernel, and why others are not: for control, and for those who wait to plug in. */
export interface ServedPorts {
  /** A new order came: what was known of the port holds no more. */
  begin(portId: string): void
  served(portId: string, generation: number): void
  refused(portId: string, message: string): void
  /** The generation in the kernel. */
  generationOf(portId: string): number | undefined
  /** Resolves when the port's order is in the kernel. @throws CloudError `unavailable` when it was refused */
  wait(portId: string, signal: AbortSignal): Promise<void>
}

export function servedPorts(orders: () => ReadonlyMap<string, PortOrder> | null): ServedPorts {
  const generations = new Map<string, number>()
  const refusals = new Map<string, string>()
  const watchers = new Map<string, Set<() => void>>()
  const wake = (portId: string) => {
    for (const look of [...(watchers.get(portId) ?? [])]) look()
  }
  /** Until something is heard of the port, or the signal. */
  const news = (portId: string, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const all = watchers.get(portId) ?? new Set()
      watchers.set(portId, all)
      const look = () => {
        signal.removeEventListener('abort', look)
        all.delete(look)
        if (all.size === 0) watchers.delete(portId)
        resolve()
      }
      all.add(look)
      signal.addEventListener('abort', look, { once: true })
    })

  return {
    begin(portId) {
      generations.delete(portId)
      refusals.delete(portId)
    },
    served(portId, generation) {
      generations.set(portId, generation)
      refusals.delete(portId)
      wake(portId)
    },
    refused(portId, message) {
      refusals.set(portId, message)
      wake(portId)
    },
    generationOf: (portId) => generations.get(portId),
    async wait(portId, signal) {
      for (;;) {
        signal.throwIfAborted()
        const order = orders()?.get(portId)
        if (order && generations.get(portId) === order.generation) return
        const why = refusals.get(portId)
        if (why !== undefined) throw new CloudError('unavailable', `port ${portId} cannot be plugged: ${why}`)
        await news(portId, signal)
      }
    },
  }
}
