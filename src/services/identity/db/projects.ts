import { type Insertable, type Selectable, sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import { flag, inChunks, objectOf, onPage, type Page } from './lists.ts'
import type { ProjectsTable } from './tables.ts'

export interface Project {
  readonly id: string
  readonly name: string
  /** Null for a domain. */
  readonly domainId: string | null
  readonly parentId: string | null
  readonly isDomain: boolean
  readonly enabled: boolean
  readonly description: string
  readonly tags: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
  readonly extra: Readonly<Record<string, unknown>>
}

/** Source: Identity API reference, "Projects: List projects", tag filters. */
export interface TagFilters {
  readonly all: readonly string[]
  readonly any: readonly string[]
  readonly notAll: readonly string[]
  readonly notAny: readonly string[]
}

const fromRow = (row: Selectable<ProjectsTable>): Project => ({
  id: row.id,
  name: row.name,
  domainId: row.domain_id || null,
  parentId: row.parent_id || null,
  isDomain: row.is_domain === 1,
  enabled: row.enabled === 1,
  description: row.description,
  tags: row.tags === '' ? [] : row.tags.slice(1, -1).split(','),
  options: objectOf(row.options),
  extra: objectOf(row.extra),
})

const toRow = (project: Project): Insertable<ProjectsTable> => ({
  id: project.id,
  name: project.name,
  domain_id: project.domainId ?? '',
  parent_id: project.parentId ?? '',
  is_domain: flag(project.isDomain),
  enabled: flag(project.enabled),
  description: project.description,
  tags: project.tags.length === 0 ? '' : `,${project.tags.join(',')},`,
  options: JSON.stringify(project.options),
  extra: JSON.stringify(project.extra),
})

export async function find(db: Db, id: string): Promise<Project | undefined> {
  const row = await db.selectFrom('identity_projects').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

/** `domainId` null looks among the domains. */
export async function findByName(db: Db, domainId: string | null, name: string): Promise<Project | undefined> {
  const row = await db
    .selectFrom('identity_projects')
    .selectAll()
    .where('domain_id', '=', domainId ?? '')
    .where('name', '=', name)
    .executeTakeFirst()
  return row && fromRow(row)
}

/** Whatever their domains; no domain among them. */
export async function named(db: Db, name: string): Promise<Project[]> {
  const rows = await db
    .selectFrom('identity_projects')
    .selectAll()
    .where('name', '=', name)
    .where('is_domain', '=', 0)
    .orderBy('domain_id')
    .execute()
  return rows.map(fromRow)
}

export async function findAll(db: Db, ids: readonly string[]): Promise<Project[]> {
  const rows = await inChunks(ids, (some) =>
    db.selectFrom('identity_projects').selectAll().where('id', 'in', some).orderBy('id').execute(),
  )
  return rows.map(fromRow)
}

export async function list(db: Db, page: Page, tags: TagFilters | null = null): Promise<Project[]> {
  let query = db.selectFrom('identity_projects').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  const has = (tag: string) => sql<boolean>`replace(tags, cast(${`,${tag},`} as text), '') <> tags`
  if (tags) {
    query = query.where(({ and, or, not }) => {
      const conditions = [and(tags.all.map(has))]
      if (tags.any.length > 0) conditions.push(or(tags.any.map(has)))
      if (tags.notAll.length > 0) conditions.push(not(and(tags.notAll.map(has))))
      if (tags.notAny.length > 0) conditions.push(not(or(tags.notAny.map(has))))
      return and(conditions)
    })
  }
  return (await query.execute()).map(fromRow)
}

export async function children(db: Db, id: string): Promise<Project[]> {
  const rows = await db.selectFrom('identity_projects').selectAll().where('parent_id', '=', id).execute()
  return rows.map(fromRow)
}

/** From the parent up to the domain. */
export async function ancestors(db: Db, project: Project): Promise<Project[]> {
  const found: Project[] = []
  for (let id = project.parentId; id; ) {
    const parent = await find(db, id)
    if (!parent) break
    found.push(parent)
    id = parent.parentId
  }
  return found
}

/** Everything below, a generation at a time. */
export async function descendants(db: Db, id: string): Promise<Project[]> {
  const found: Project[] = []
  let generation = [id]
  while (generation.length > 0) {
    const rows = await inChunks(generation, (some) =>
      db.selectFrom('identity_projects').selectAll().where('parent_id', 'in', some).execute(),
    )
    found.push(...rows.map(fromRow))
    generation = rows.map((row) => row.id)
  }
  return found
}

/** False when the domain already has a project of that name, or the id is taken. */
export async function insert(db: Db, project: Project): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_projects')
    .values(toRow(project))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** The caller has made sure of the name. */
export async function update(db: Db, project: Project): Promise<void> {
  const { id, ...columns } = toRow(project)
  await db.updateTable('identity_projects').set(columns).where('id', '=', id).execute()
}

export async function remove(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await db
    .updateTable('identity_users')
    .set({ default_project_id: null })
    .where('default_project_id', 'in', ids)
    .execute()
  await db.deleteFrom('identity_projects').where('id', 'in', ids).execute()
}
