import type { Explained } from '../platform/auth/policy.ts'
import type { Config } from '../platform/config.ts'
import type { Logger } from '../platform/log.ts'
import type { LoopStatus } from '../platform/reconcile/reconciler.ts'

/** What `berth status` shows. */
export interface StatusReport {
  services: readonly { name: string; url: string; since: string }[]
  /** Up: heard of within the last 60 s. */
  hosts: readonly { name: string; role: string; up: boolean; since: string; seenAt: string }[]
  loops: readonly LoopStatus[]
}

/** What `berth policy check` asks. */
export interface PolicyQuestion {
  rule: string
  user: string
  /** Names or ids; without a scope, the user's default project or their only one. */
  project?: string
  domain?: string
  system?: boolean
  target: Readonly<Record<string, string>>
}

export interface PolicyAnswer {
  service: string
  user: string
  scope: string
  roles: readonly string[]
  target: Readonly<Record<string, unknown>>
  explained: Explained
}

/** What `berth explain` prints. */
export interface ServerExplanation {
  id: string
  name: string
  status: string
  lines: readonly string[]
}

/** A cloud that runs in this process. */
export interface RunningCloud {
  /** Closes in reverse order; servers go on running. */
  stop(): Promise<void>
  status(): Promise<StatusReport>
  readonly endpoints: readonly { service: string; url: string }[]
  /** A new key signs tokens from now on. */
  rotateKeys(): Promise<{ kid: string; keys: number; tokenHours: number }>
  /** Why `rule` allows or refuses. @throws CloudError when there is no such rule, user or project. */
  explainPolicy(question: PolicyQuestion): Promise<PolicyAnswer>
  /** Why a server, by id or name, is where it is. @throws CloudError when there is none, or several of the name. */
  explainServer(server: string): Promise<ServerExplanation>
  /** Removes, or only counts, what no image and no repository needs. */
  collectGarbage(dryRun: boolean): Promise<Record<string, number>>
  /** Has all that is stored looked at again; answers what is known to be damaged. */
  scrub(): Promise<{ damaged: string[]; mibPerSecond: number }>
  /** A one-time word that lets a machine join as `host`. @throws CloudError when the bus is this process's own */
  hostToken(host: string): Promise<string>
  /** The seeded server; null when there is none (any more). */
  firstServer(): Promise<{ name: string; id: string; status: string; address: string | null } | null>
}

/** Starts every role in this process and resolves when it is seeded and answers. `src/cloud.ts` is one. */
export type StartCloud = (
  config: Config,
  log: Logger,
  secrets: { cloudId: string; adminPassword: string; demoPassword: string; busSecret: string },
  progress: (step: string) => void,
) => Promise<RunningCloud>
