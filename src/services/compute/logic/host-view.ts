import type { Db } from '../../../platform/db/database.ts'
import type { Host, Hosts } from '../../../platform/hosts/hosts.ts'
import * as aggregateRows from '../db/aggregates.ts'
import * as serverRows from '../db/servers.ts'
import * as serviceRows from '../db/services.ts'
import type { ComputeFacts } from '../messages.ts'

/** The zone of every host that was put into no other. */
export const defaultZone = 'nova'

/** A compute host as the scheduler sees it, beside what Placement knows of its room. */
export interface HostState {
  readonly name: string
  readonly up: boolean
  readonly disabled: boolean
  readonly disabledReason: string | null
  readonly forcedDown: boolean
  readonly zone: string
  readonly facts: Partial<ComputeFacts>
  readonly aggregates: readonly aggregateRows.Aggregate[]
  /** Servers made in vain since the last that was made well. */
  readonly failedBuilds: number
  /** Servers that something is being done about; counts on as servers are placed. */
  ioOps: number
}

/** As long as another control process's changes may go unseen. */
const staleAfterMs = 1_000

/** Every compute host, read anew at most once a second and after each change of ours. */
export class HostView {
  readonly #hosts: Hosts
  readonly #nowMs: () => number
  #states: readonly HostState[] = []
  #readAtMs = Number.NEGATIVE_INFINITY
  /** Counts readings: what was concluded from an older one is void. */
  epoch = 0
  /** Some aggregate has a multiplier of its own for a weigher. */
  hasMultipliers = false

  constructor(hosts: Hosts, nowMs: () => number) {
    this.#hosts = hosts
    this.#nowMs = nowMs
  }

  /** In order of name. */
  async list(db: Db): Promise<readonly HostState[]> {
    const age = this.#nowMs() - this.#readAtMs
    if (age >= 0 && age < staleAfterMs) return this.#states
    const services = new Map((await serviceRows.list(db)).map((service) => [service.host, service]))
    const aggregates = await aggregateRows.list(db)
    const busy = await serverRows.busyByHost(db)
    this.#states = (await this.#hosts.list('compute', db)).map((host) => {
      const service = services.get(host.name)
      const mine = aggregates.filter(({ hosts }) => hosts.includes(host.name))
      return {
        ...{ name: host.name, up: this.#hosts.isUp(host), facts: host.facts as Partial<ComputeFacts> },
        disabled: service?.disabled === 1,
        disabledReason: service?.disabled_reason ?? null,
        forcedDown: service?.forced_down === 1,
        zone: mine.findLast(({ metadata }) => metadata.availability_zone)?.metadata.availability_zone ?? defaultZone,
        aggregates: mine,
        failedBuilds: service?.failed_builds ?? 0,
        ioOps: busy.get(host.name) ?? 0,
      }
    })
    this.hasMultipliers = aggregates.some(({ metadata }) =>
      Object.keys(metadata).some((key) => key.endsWith('_weight_multiplier')),
    )
    this.#readAtMs = this.#nowMs()
    this.epoch++
    return this.#states
  }

  forget(): void {
    this.#readAtMs = Number.NEGATIVE_INFINITY
  }

  /** A host that was thought away is there; its facts alone, which change all the time, can wait. */
  seen(host: Pick<Host, 'name'>): void {
    if (!this.#states.some(({ name, up }) => name === host.name && up)) this.forget()
  }
}
