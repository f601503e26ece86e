import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../clock.ts'
import type { Database, Db } from '../db/database.ts'
import { NotFound } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type Heartbeat, heartbeatSubject } from './messages.ts'
import type { HostsTable } from './tables.ts'

export type HostRole = Heartbeat['role']

/** One role of one machine, as its last heartbeat told. */
export interface Host {
  name: string
  role: HostRole
  startedAt: string
  seenAt: string
  facts: Record<string, unknown>
}

/** What the control side knows of the hosts. The table is the truth, so every control process answers alike. */
export interface Hosts {
  /** In order of name and role. Takes a transaction, so that a scheduler sees hosts and claims in one snapshot. */
  list(role?: HostRole, db?: Db): Promise<Host[]>
  /** @throws NotFound */
  get(name: string, role: HostRole, db?: Db): Promise<Host>
  /** Heard of lately: within 60 s, six heartbeats, unless set otherwise. */
  isUp(host: Pick<Host, 'seenAt'>): boolean
  /** Called when a host appears, restarts, comes back or has new facts, after that is in the table. */
  onChange(callback: (host: Host) => void): () => void
  close(): void
}

const usualUpMs = 60_000

export function createHosts(database: Database, bus: Bus, clock: Clock, log: Logger, upMs = usualUpMs): Hosts {
  const callbacks = new Set<(host: Host) => void>()
  const isUp = (host: Pick<Host, 'seenAt'>): boolean => clock.nowMs() - Date.parse(host.seenAt) <= upMs

  const unsubscribe = bus.subscribe<Heartbeat>(heartbeatSubject, async (beat) => {
    const host = { name: beat.host, role: beat.role, startedAt: beat.startedAt, seenAt: clock.now(), facts: beat.facts }
    const before = await database.write((trx) => record(trx, host))
    const changed =
      !before || !isUp(before) || before.startedAt !== host.startedAt || !sameFacts(before.facts, host.facts)
    if (!before) log.info({ host: host.name, role: host.role }, 'a host has joined')
    if (changed) for (const callback of callbacks) callback(host)
  })

  return {
    async list(role, db = database.read) {
      const query = db.selectFrom('hosts').selectAll().orderBy('name').orderBy('role')
      const rows = await (role ? query.where('role', '=', role) : query).execute()
      return rows.map(hostOf)
    },
    async get(name, role, db = database.read) {
      const host = await find(db, name, role)
      if (!host) throw new NotFound(`Host with role ${role}`, name)
      return host
    },
    isUp,
    onChange(callback) {
      callbacks.add(callback)
      return () => void callbacks.delete(callback)
    },
    close: unsubscribe,
  }
}

/** Writes the heartbeat down and gives what was known before. */
async function record(trx: Db, host: Host): Promise<Host | undefined> {
  const before = await find(trx, host.name, host.role)
  const seen = { started_at: host.startedAt, seen_at: host.seenAt, facts: JSON.stringify(host.facts) }
  await trx
    .insertInto('hosts')
    .values({ name: host.name, role: host.role, ...seen })
    .onConflict((conflict) => conflict.columns(['name', 'role']).doUpdateSet(seen))
    .execute()
  return before
}

async function find(db: Db, name: string, role: HostRole): Promise<Host | undefined> {
  const query = db.selectFrom('hosts').selectAll().where('name', '=', name).where('role', '=', role)
  const row = await query.executeTakeFirst()
  return row && hostOf(row)
}

const hostOf = (row: HostsTable): Host => ({
  name: row.name,
  role: row.role,
  startedAt: row.started_at,
  seenAt: row.seen_at,
  facts: JSON.parse(row.facts) as Record<string, unknown>,
})

const sameFacts = (a: Record<string, unknown>, b: Record<string, unknown>): boolean =>
  JSON.stringify(a) === JSON.stringify(b)
