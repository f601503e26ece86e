import { listShaped, tcBatch } from '../../../machine/net/shaping.ts'
import type { PortOrder, Rate } from '../messages.ts'
import { tapOf } from './names.ts'

/** What is let through to each port of a network's namespace in a second; what comes from it is in `filters.ts`. */
export interface Shaping {
  settle(ports: readonly PortOrder[]): Promise<void>
  /** The port's cable is another one. */
  forget(portId: string): void
}

/** One packet as the kernel hands it on: a train of segments may be this long. */
const longestPacket = 65_536
/** How long a packet may wait for its turn, as Neutron has it. */
const latencyMs = 50

/** How much may come at once: what was asked for, else the usual four fifths of a second's worth. */
export function burstBytes({ kbps, burstKbits }: Rate): number {
  const asked = burstKbits > 0 ? burstKbits : kbps * 0.8
  return Math.max(longestPacket, Math.ceil((asked * 1000) / 8))
}

export function shapingOf(namespace: string): Shaping {
  /** Line by tap; null: what the kernel holds is not known. */
  let held: Map<string, string> | null = null

  return {
    async settle(ports) {
      const wanted = new Map(
        ports.flatMap((port): [string, string][] => {
          const rate = port.qos?.ingress
          if (!rate || rate.kbps === 0) return []
          return [[tapOf(port.portId), `rate ${rate.kbps}kbit burst ${burstBytes(rate)} latency ${latencyMs}ms`]]
        }),
      )
      if (held === null && wanted.size === 0 && ports.every((port) => port.qos === undefined)) return
      const before = held ?? new Map([...(await listShaped(namespace))].map((tap) => [tap, '']))
      held = null // unless all of it succeeds
      const taps = new Set(ports.map((port) => tapOf(port.portId)))
      const lines = [
        ...[...before.keys()]
          .filter((tap) => taps.has(tap) && !wanted.has(tap))
          .map((tap) => `qdisc delete dev ${tap} root`),
        ...[...wanted]
          .filter(([tap, line]) => before.get(tap) !== line)
          .map(([tap, line]) => `qdisc replace dev ${tap} root tbf ${line}`),
      ]
      await tcBatch(namespace, lines)
      held = wanted
    },
    forget(portId) {
      held?.delete(tapOf(portId))
    },
  }
}
