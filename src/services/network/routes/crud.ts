import type { FastifyRequest } from 'fastify'
import type { RawBuilder, SqlBool } from 'kysely'
import type { Target } from '../../../platform/auth/policy.ts'
import type { Db } from '../../../platform/db/database.ts'
import type { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { among, type Listing, ownOnly, ownOrShared, sharedWith } from '../db/listing.ts'
import * as rbacRows from '../db/rbac.ts'
import type { ObjectType } from '../db/sharing-tables.ts'
import type { TaggedTable } from '../db/tags.ts'
import { type Accepted, acceptCreate, acceptUpdate, type Resource } from '../logic/attributes.ts'
import type { Deps } from '../logic/deps.ts'
import { preconditioned } from './if-match.ts'
import { fieldsOf, filtersOf, flagOf, pageLinks, pagingOf, selected } from './query.ts'
import { tagFilter, tagRoutes } from './tags.ts'

export type View = Record<string, unknown>

/** One chapter of the API reference: what differs between the resources. */
export interface Chapter<Row extends { id: string; project_id: string }, New extends { project_id: string }, Changes> {
  resource: Resource
  /** `/security-groups` */
  path: string
  /** Rules are named after this where it is not the resource's own singular (`policy` of QoS). */
  ruleName?: string
  list(db: Db, listing: Listing): Promise<Row[]>
  find(db: Db, id: string): Promise<Row | undefined>
  notFound(id: string): CloudError
  /** Can be shared by RBAC policies: what those call it. `shared` is then what holds for the caller. */
  sharedAs?: ObjectType
  /** Carries tags, at its own path or at this one. */
  tagged?: { table: TaggedTable; path?: string; rule?: string }
  /** The rows a project sees, where it is not its own and those shared with it; administrators see all. */
  visible?(projectId: string | null): RawBuilder<SqlBool>
  /** Conditions for filters that are no column. */
  filter?(name: string, values: string[], request: FastifyRequest): RawBuilder<SqlBool> | undefined
  views(rows: readonly Row[], request: FastifyRequest): Promise<View[]>
  /** What policy has to know besides the attributes: the owner of the network, and the like. */
  surroundings?(things: readonly (Row | New)[], request: FastifyRequest): Promise<Target[]>
  /** Before a list: whatever must be there by then. */
  prepare?(projectId: string): Promise<void>
  create?(deps: Deps, request: FastifyRequest, items: readonly Accepted<New>[]): Promise<Row[]>
  /** `deps` refuses to write when the caller's `If-Match` does not hold any more. */
  update?(deps: Deps, request: FastifyRequest, id: string, changes: Changes): Promise<Row>
  remove?(deps: Deps, request: FastifyRequest, id: string): Promise<void>
}

type AnyChapter<Row extends { id: string; project_id: string }, New extends { project_id: string }, Changes> = Chapter<
  Row,
  New,
  Changes
> & { deps: Deps }

/** Create (one or many), list, show, update and delete, as all of Neutron's resources have them; and tags. */
export function crud<
  Row extends { id: string; project_id: string },
  New extends { project_id: string },
  Changes extends object,
>(app: App, deps: Deps, given: Chapter<Row, New, Changes>): void {
  const chapter = { ...given, deps }
  const { resource, path } = chapter
  const { singular, plural } = resource
  const db = deps.database.read
  const one = `${path}/:id`
  const rule = (action: string) => ({ policy: `${action}_${ruleNameOf(chapter)}`, check: 'handler' }) as const

  app.get(path, { config: rule('get') }, async (request) => {
    const paging = pagingOf(request, resource)
    const where = filtersOf(request, resource, (name, values) => specialFilter(chapter, name, values, request))
    const { projectId } = request.ctx
    const about = preparedFor(request)
    if (about) await chapter.prepare?.(about)
    if (!request.can({}, 'context_is_admin')) where.push(visibleTo(chapter, projectId))
    const markerRow = paging.marker === null ? null : await chapter.find(db, paging.marker)
    if (markerRow === undefined) throw chapter.notFound(paging.marker ?? '')
    const rows = await chapter.list(db, { where, ...paging, markerRow })
    const fields = fieldsOf(request)
    const views = await readable(request, chapter, rows)
    const links = pageLinks(
      request,
      paging,
      rows.map((row) => row.id),
    )
    return {
      [plural]: views.filter((view) => view !== null).map((view) => selected(view, fields)),
      ...(links.length > 0 && { [`${plural}_links`]: links }),
    }
  })

  app.get(one, { config: rule('get') }, async (request) => {
    const { view } = await seen(request, chapter, idOf(request))
    return { [singular]: selected(view, fieldsOf(request)) }
  })

  const { create, update, remove } = chapter
  if (create) {
    app.post(path, { config: rule('create') }, async (request, reply) => {
      const { bulk, items } = acceptCreate<New>(resource, request.ctx, request.body)
      const things = items.map((item) => item.values)
      const targets = (await chapter.surroundings?.(things, request)) ?? []
      for (const [i, { values, named }] of items.entries()) {
        const owner = { tenant_id: values.project_id }
        enforce(request, chapter, 'create', { ...targets[i], ...values, ...owner }, named)
      }
      const rows = await create(deps, request, items)
      const views = (await readable(request, chapter, rows)).map((view) => view ?? {})
      return reply.code(201).send(bulk ? { [plural]: views } : { [singular]: views[0] })
    })
  }
  if (update) {
    app.put(one, { config: rule('update') }, async (request) => {
      const id = idOf(request)
      const { values, named } = acceptUpdate<Changes>(resource, request.body)
      const { target } = await seen(request, chapter, id)
      request.enforce(target)
      enforce(request, chapter, 'update', { ...target, ...values }, named)
      const row = await update(preconditioned(deps, request, chapter, id), request, id, values)
      return { [singular]: (await readable(request, chapter, [row]))[0] ?? {} }
    })
  }
  if (remove) {
    app.delete(one, { config: rule('delete') }, async (request, reply) => {
      const id = idOf(request)
      request.enforce((await seen(request, chapter, id)).target)
      await remove(preconditioned(deps, request, chapter, id), request, id)
      return reply.code(204).send()
    })
  }
  if (chapter.tagged) {
    tagRoutes(app, deps, {
      ...chapter.tagged,
      path: chapter.tagged.path ?? path,
      readRule: `get_${ruleNameOf(chapter)}`,
      rule: chapter.tagged.rule ?? `update_${ruleNameOf(chapter)}`,
      targetOf: async (request) => (await seen(request, chapter, idOf(request))).target,
    })
  }
}

/** Whose things a list is about: an administrator may ask for another project's. */
function preparedFor(request: FastifyRequest): string | null {
  const { tenant_id, project_id } = request.query as Record<string, unknown>
  const named = project_id ?? tenant_id
  if (typeof named === 'string' && request.can({}, 'context_is_admin')) return named
  return request.ctx.projectId
}

/** For routes of a chapter beyond these five. @throws CloudError `notFound` also for what the caller may not see */
export async function seenRow<
  Row extends { id: string; project_id: string },
  New extends { project_id: string },
  Changes,
>(request: FastifyRequest, deps: Deps, chapter: Chapter<Row, New, Changes>, id: string) {
  return await seen(request, { ...chapter, deps }, id)
}

const ruleNameOf = (chapter: { ruleName?: string; resource: Resource }): string =>
  chapter.ruleName ?? chapter.resource.singular

const idOf = (request: FastifyRequest): string => (request.params as { id: string }).id

function visibleTo(
  chapter: { sharedAs?: ObjectType; visible?(projectId: string | null): RawBuilder<SqlBool> },
  projectId: string | null,
): RawBuilder<SqlBool> {
  if (chapter.visible) return chapter.visible(projectId)
  return chapter.sharedAs ? ownOrShared(chapter.sharedAs, projectId) : ownOnly(projectId)
}

function specialFilter<Row extends { id: string; project_id: string }, New extends { project_id: string }, Changes>(
  chapter: Chapter<Row, New, Changes>,
  name: string,
  values: string[],
  request: FastifyRequest,
): RawBuilder<SqlBool> | undefined {
  if (chapter.tagged) {
    const condition = tagFilter(name, values)
    if (condition) return condition
  }
  if (name === 'shared' && chapter.sharedAs) {
    return sharedWith(chapter.sharedAs, request.ctx.projectId, flagOf(name, values.at(-1) ?? ''))
  }
  return chapter.filter?.(name, values, request)
}

/** What the caller may see of each row; null for nothing. */
async function readable<Row extends { id: string; project_id: string }, New extends { project_id: string }, Changes>(
  request: FastifyRequest,
  chapter: AnyChapter<Row, New, Changes>,
  rows: readonly Row[],
): Promise<(View | null)[]> {
  const whole = await wholeViews(request, chapter, rows)
  const around = (await chapter.surroundings?.(rows, request)) ?? []
  return whole.map((view, i) => shownOf(request, chapter, view, { ...view, ...around[i] }))
}

async function wholeViews<Row extends { id: string; project_id: string }, New extends { project_id: string }, Changes>(
  request: FastifyRequest,
  chapter: AnyChapter<Row, New, Changes>,
  rows: readonly Row[],
): Promise<View[]> {
  const views = await chapter.views(rows, request)
  if (!chapter.sharedAs) return views
  const ids = rows.map((row) => row.id)
  const shared = await rbacRows.sharedAmong(chapter.deps.database.read, ids, request.ctx.projectId)
  return views.map((view, i) => ({ ...view, shared: shared.has(ids[i]!) }))
}

function shownOf(
  request: FastifyRequest,
  chapter: { ruleName?: string; resource: Resource; deps: Deps },
  view: View,
  target: Target,
): View | null {
  const { policy } = chapter.deps
  const name = ruleNameOf(chapter)
  if (!request.can(target, `get_${name}`)) return null
  const hidden = Object.keys(view).filter((attribute) => {
    const rule = `get_${name}:${attribute}`
    return policy.has(rule) && !request.can(target, rule)
  })
  if (hidden.length === 0) return view
  return Object.fromEntries(Object.entries(view).filter(([attribute]) => !hidden.includes(attribute)))
}

/** @throws CloudError `notFound` also for what the caller may not see */
async function seen<Row extends { id: string; project_id: string }, New extends { project_id: string }, Changes>(
  request: FastifyRequest,
  chapter: AnyChapter<Row, New, Changes>,
  id: string,
): Promise<{ row: Row; view: View; target: Target }> {
  const where = [among('id', [id])]
  if (!request.can({}, 'context_is_admin')) where.push(visibleTo(chapter, request.ctx.projectId))
  const listing = { where, sortKeys: [], markerRow: null, limit: 1, reverse: false }
  const [row] = await chapter.list(chapter.deps.database.read, listing)
  if (!row) throw chapter.notFound(id)
  const [whole = {}] = await wholeViews(request, chapter, [row])
  const [around = {}] = (await chapter.surroundings?.([row], request)) ?? []
  const target = { ...whole, ...around }
  const view = shownOf(request, chapter, whole, target)
  if (view === null) throw chapter.notFound(id)
  return { row, view, target }
}

/** The rule of the action, and of each attribute (and part of an attribute) that has a rule of its own. */
function enforce(
  request: FastifyRequest,
  chapter: { ruleName?: string; resource: Resource; deps: Deps },
  action: 'create' | 'update',
  target: Target,
  named: ReadonlySet<string>,
): void {
  const { policy } = chapter.deps
  const rule = `${action}_${ruleNameOf(chapter)}`
  request.enforce(target, rule)
  for (const name of named) {
    const attributeRule = `${rule}:${name}`
    if (policy.has(attributeRule)) request.enforce(target, attributeRule)
    const value = target[name]
    const items: unknown[] = Array.isArray(value) ? value : typeof value === 'object' ? [value] : []
    const parts = items.flatMap((item) => Object.keys(item ?? {}))
    for (const part of new Set(parts)) {
      if (policy.has(`${attributeRule}:${part}`)) request.enforce(target, `${attributeRule}:${part}`)
    }
  }
}
