import type { Duplex } from 'node:stream'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import type { Diagnostics, SeenState, ServerOrder, ServerReport, SnapshotOrder, SnapshotReport } from '../messages.ts'

/** What the machine shows of a server. */
export interface Seen {
  serverId: string
  seen: SeenState
  containerId: string | null
  startedAt: string | null
  exit: ServerReport['exit']
  /** When the look began, in milliseconds on this machine's clock: it shows every change from before. */
  asOfMs: number
}

/** What one look at all servers shows; the rest of `Seen` takes `find`. */
export type Glimpse = Pick<Seen, 'serverId' | 'seen' | 'containerId'>

/** The network data path of this host. */
export interface Plug {
  /**
   * Resolves when the data path knows the ports and these Docker networks exist: `qnet-<network id>` for a first NIC,
   * `qnet001-<network id>` for a second one, and so on.
   */
  ready(portIds: readonly string[], dockerNetworks: readonly string[], signal: AbortSignal): Promise<void>
  /** A frozen server's network stack would go on answering: its NICs are unplugged meanwhile. Repeatable. */
  hold?(portIds: readonly string[], held: boolean): Promise<void>
  /** The file that is to be the server's `/etc/resolv.conf`; the engine's own when there is no such. */
  resolvConf?(serverId: string): Promise<string>
}

export interface EnsureOptions {
  /** Restart once the first process that started at this moment (ISO 8601); a later one is the restart already made. */
  rebootFrom: string | null
  plug: Plug
}

/** The engine's half of a compute host's facts. */
export interface EngineFacts {
  vcpus: number
  memoryMiB: number
  diskGiB: number
  diskFreeGiB: number
  engineVersion: string
  engineApiVersion: string
  storageDriver: string
  userNamespaces: boolean
  /** As the kernel says it: `x86_64`. */
  architecture: string
}

/** `resync`: anything may have changed. `atMs` is when it did, on this machine's clock. */
export type Change = { kind: 'server'; serverId: string; atMs: number } | { kind: 'resync' }

export interface TerminalSize {
  columns: number
  rows: number
}

/** What a host can do with servers. Every verb may be repeated, and `signal` may cut it short. */
export interface ServerDriver {
  /** @throws CloudError `unavailable` when the engine is away */
  facts(signal: AbortSignal): Promise<EngineFacts>
  /** Whether the engine answers. @throws CloudError `unavailable` when it does not */
  ping(signal: AbortSignal): Promise<void>
  /** Every server of this cloud found on this machine, asked of the engine itself, so a restart loses nothing. */
  list(signal: AbortSignal): Promise<Glimpse[]>
  /** One server; `absent` is an answer, not an error. */
  find(serverId: string, signal: AbortSignal): Promise<Seen>
  /** Makes the machine match `order`. @throws StepFailed; what was half made is gone again */
  ensure(order: ServerOrder, options: EnsureOptions, signal: AbortSignal): Promise<Seen>
  /** What the server's terminal has shown. @throws CloudError `notFound` */
  console(serverId: string, lines: number | null, signal: AbortSignal): Promise<string>
  /** @throws CloudError `notFound` */
  diagnostics(serverId: string, signal: AbortSignal): Promise<Diagnostics>
  /** The server's terminal, both ways, until either end closes. @throws CloudError `notFound`, `conflict` when it does not run */
  attach(serverId: string, signal: AbortSignal): Promise<Duplex>
  /** @throws CloudError `notFound`, `conflict` */
  resizeTerminal(serverId: string, size: TerminalSize, signal: AbortSignal): Promise<void>
  /** Sets root's password inside. @throws CloudError `notFound`, `conflict` when the image has no means for it */
  setPassword(serverId: string, password: string, signal: AbortSignal): Promise<void>
  /** Commits, uploads, removes the local copy; goes on where an earlier try broke off. */
  snapshot(order: SnapshotOrder, said: (state: SnapshotReport['state']) => void, signal: AbortSignal): Promise<void>
  /** Removes committed images older than `olderThanMs` whose snapshot is not in `current`. Returns how many. */
  sweepSnapshots(current: ReadonlySet<string>, olderThanMs: number, signal: AbortSignal): Promise<number>
  /** Changes nobody ordered as much as ordered ones, until `signal`. `resync` comes first, and after each break. */
  changes(signal: AbortSignal, onLost: (error: unknown) => void): AsyncIterable<Change>
  close(): Promise<void>
}

/** A step of an order failed. `step` is the fault point's name. */
export class StepFailed extends CloudError {
  override name = 'StepFailed'
  readonly step: string
  constructor(step: string, thrown: unknown) {
    const kind = thrown instanceof CloudError ? thrown.kind : 'internal'
    super(kind, messageOf(thrown), { cause: thrown })
    this.step = step
  }
}

export const absent = (serverId: string, asOfMs: number): Seen => ({
  serverId,
  seen: 'absent',
  containerId: null,
  startedAt: null,
  exit: null,
  asOfMs,
})
