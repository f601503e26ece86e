import { type Kysely, PostgresAdapter, sql } from 'kysely'
import type { Db } from '../db/database.ts'

/**
 * What the rows of a table add up to for whoever has them. The database itself keeps the sum, with triggers, in the
 * transaction that writes, changes or deletes a row: no way round the code that claims can leave it wrong.
 */
export interface Counter {
  /** Official service type; with `resource` the counter's name. */
  readonly service: string
  /** As unified limits name it. */
  readonly resource: string
  readonly table: string
  /** The column that says whose a row is. A row of nobody (null or '') is not counted. */
  readonly holder: string
  /** What a row adds: an SQL expression over its columns, each written `row.column`. */
  readonly amount: string
}

export interface UsageTable {
  holder_id: string
  service: string
  resource: string
  used: number
}

declare module '../db/database.ts' {
  interface Tables {
    quota_usage: UsageTable
  }
}

/**
 * For a migration: keeps these sums from now on, and counts what is there already. Repeatable; a counter whose meaning
 * changes is given again by a later migration.
 */
export async function countRows(db: Kysely<unknown>, counters: readonly Counter[]): Promise<void> {
  const isPostgres = db.getExecutor().adapter instanceof PostgresAdapter
  const run = (text: string) => sql.raw(text).execute(db)
  await db.schema
    .createTable('quota_usage')
    .ifNotExists()
    .addColumn('holder_id', 'text', (c) => c.notNull())
    .addColumn('service', 'text', (c) => c.notNull())
    .addColumn('resource', 'text', (c) => c.notNull())
    .addColumn('used', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('quota_usage_pk', ['holder_id', 'service', 'resource'])
    .execute()
  if (isPostgres) await run(addOnPostgres)
  for (const counter of counters) {
    for (const statement of isPostgres ? onPostgres(counter) : onSqlite(counter)) await run(statement)
    const { service, resource } = counter
    await run(`delete from quota_usage where service = '${service}' and resource = '${resource}'`)
    await run(`insert into quota_usage (holder_id, service, resource, used) ${counted(counter)}`)
  }
}

/** Sums that are not what the rows add up to: none, unless somebody has been at the tables. */
export async function drift(db: Db, counters: readonly Counter[]): Promise<(UsageTable & { counted: number })[]> {
  const wrong: (UsageTable & { counted: number })[] = []
  for (const counter of counters) {
    const { service, resource } = counter
    const real = await sql.raw<UsageTable>(counted(counter)).execute(db)
    const kept = await db
      .selectFrom('quota_usage')
      .selectAll()
      .where('service', '=', service)
      .where('resource', '=', resource)
      .execute()
    const sums = new Map(kept.map((row) => [row.holder_id, Number(row.used)]))
    for (const { holder_id, used } of real.rows) {
      const found = sums.get(holder_id) ?? 0
      sums.delete(holder_id)
      if (found !== Number(used)) wrong.push({ holder_id, service, resource, used: found, counted: Number(used) })
    }
    for (const [holder_id, used] of sums) {
      if (used !== 0) wrong.push({ holder_id, service, resource, used, counted: 0 })
    }
  }
  return wrong
}

const columnsIn = ({ holder, amount }: Counter): string[] => [
  ...new Set([holder, ...[...amount.matchAll(/row\.(\w+)/g)].map(([, column]) => column ?? '')]),
]
const amountOf = ({ amount }: Counter, row: string): string => `coalesce((${amount.replaceAll('row.', `${row}.`)}), 0)`
const nameOf = ({ service, resource }: Counter): string => `quota_${service}_${resource}`.replaceAll(/\W/g, '_')

const counted = (counter: Counter): string => `
  select t.${counter.holder} as holder_id, '${counter.service}' as service, '${counter.resource}' as resource,
    cast(sum(${amountOf(counter, 't')}) as bigint) as used
  from ${counter.table} t where coalesce(t.${counter.holder}, '') <> '' group by t.${counter.holder}`

function onSqlite(counter: Counter): string[] {
  const { table, holder, service, resource } = counter
  const name = nameOf(counter)
  const add = (row: string, sign: string) => `
    insert into quota_usage (holder_id, service, resource, used)
    select ${row}.${holder}, '${service}', '${resource}', ${sign}${amountOf(counter, row)}
    where coalesce(${row}.${holder}, '') <> '' and ${amountOf(counter, row)} <> 0
    on conflict (holder_id, service, resource) do update set used = quota_usage.used + excluded.used;`
  const changed = `new.${holder} is not old.${holder} or ${amountOf(counter, 'new')} <> ${amountOf(counter, 'old')}`
  return [
    ...['insert', 'update', 'delete'].map((event) => `drop trigger if exists ${name}_${event}`),
    `create trigger ${name}_insert after insert on ${table} begin ${add('new', '')} end`,
    `create trigger ${name}_delete after delete on ${table} begin ${add('old', '-')} end`,
    `create trigger ${name}_update after update of ${columnsIn(counter).join(', ')} on ${table} when ${changed}
     begin ${add('old', '-')} ${add('new', '')} end`,
  ]
}

/**
 * Whoever changes a sum has its holder's turn until the transaction ends (`Database.write`). Who finds it taken does
 * not wait here, where waiting would end in a serialisation failure anyway, but starts over and waits before it begins.
 */
const addOnPostgres = `
  create or replace function quota_add(holder text, service text, resource text, delta bigint) returns void
  language plpgsql as $$
  begin
    if coalesce(holder, '') = '' or delta = 0 then return; end if;
    if not pg_try_advisory_xact_lock(hashtextextended(holder, 0)) then
      raise exception 'another transaction has this turn' using errcode = 'serialization_failure', detail = 'turn ' || holder;
    end if;
    insert into quota_usage as u (holder_id, service, resource, used) values (holder, service, resource, delta)
    on conflict on constraint quota_usage_pk do update set used = u.used + excluded.used;
  end $$`

function onPostgres(counter: Counter): string[] {
  const { table, holder, service, resource } = counter
  const name = nameOf(counter)
  const add = (row: string, sign: string) =>
    `perform quota_add(${row}.${holder}, '${service}', '${resource}', ${sign}${amountOf(counter, row)});`
  const changed = `new.${holder} is distinct from old.${holder} or ${amountOf(counter, 'new')} <> ${amountOf(counter, 'old')}`
  return [
    ...['insert', 'update', 'delete'].map((event) => `drop trigger if exists ${name}_${event} on ${table}`),
    `create or replace function ${name}() returns trigger language plpgsql as $$
     begin
       if tg_op <> 'INSERT' then ${add('old', '-')} end if;
       if tg_op <> 'DELETE' then ${add('new', '')} end if;
       return null;
     end $$`,
    `create trigger ${name}_insert after insert on ${table} for each row execute function ${name}()`,
    `create trigger ${name}_delete after delete on ${table} for each row execute function ${name}()`,
    `create trigger ${name}_update after update of ${columnsIn(counter).join(', ')} on ${table} for each row
     when (${changed}) execute function ${name}()`,
  ]
}
