import type { FastifyRequest } from 'fastify'
import type { RawBuilder, SqlBool } from 'kysely'
import type { Policy, Target } from '../../../platform/auth/policy.ts'
import type { Db } from '../../../platform/db/database.ts'
import type { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Listing } from '../db/listing.ts'
import { type Accepted, acceptCreate, acceptUpdate, type Resource } from '../logic/attributes.ts'
import { fieldsOf, filtersOf, pageLinks, pagingOf, selected } from './query.ts'

export type View = Record<string, unknown>

/** One chapter of the API reference: what differs between the resources. */
export interface Chapter<Row extends { id: string }, New extends { project_id: string }, Changes> {
  resource: Resource
  /** `/security-groups` */
  path: string
  db: Db
  policy: Policy
  list(listing: Listing): Promise<Row[]>
  find(id: string): Promise<Row | undefined>
  notFound(id: string): CloudError
  /** The rows a project sees; administrators see all. */
  visible(projectId: string | null): RawBuilder<SqlBool>
  /** Conditions for filters that are no column. */
  filter?(name: string, values: string[]): RawBuilder<SqlBool> | undefined
  views(rows: readonly Row[]): Promise<View[]>
  /** What policy has to know besides the attributes: the owner of the network, and the like. */
  surroundings(things: readonly (Row | New)[], request: FastifyRequest): Promise<Target[]>
  /** Before a list: whatever must be there by then. */
  prepare?(projectId: string): Promise<void>
  create(request: FastifyRequest, items: readonly Accepted<New>[]): Promise<Row[]>
  update?(request: FastifyRequest, id: string, changes: Changes): Promise<Row>
  remove(request: FastifyRequest, id: string): Promise<void>
}

/** Create (one or many), list, show, update and delete, as all of Neutron's resources have them. */
export function crud<Row extends { id: string }, New extends { project_id: string }, Changes extends object>(
  app: App,
  chapter: Chapter<Row, New, Changes>,
): void {
  const { resource, path } = chapter
  const { singular, plural } = resource
  const one = `${path}/:id`
  const rule = (action: string) => ({ policy: `${action}_${singular}`, check: 'handler' }) as const

  app.get(path, { config: rule('get') }, async (request) => {
    const paging = pagingOf(request, resource)
    const where = filtersOf(request, resource, (name, values) => chapter.filter?.(name, values))
    const { projectId } = request.ctx
    if (projectId) await chapter.prepare?.(projectId)
    if (!request.can({}, 'context_is_admin')) where.push(chapter.visible(projectId))
    const markerRow = paging.marker === null ? null : await chapter.find(paging.marker)
    if (markerRow === undefined) throw chapter.notFound(paging.marker ?? '')
    const rows = await chapter.list({ where, ...paging, markerRow })
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

  app.post(path, { config: rule('create') }, async (request, reply) => {
    const { bulk, items } = acceptCreate<New>(resource, request.ctx, request.body)
    const targets = await chapter.surroundings(
      items.map((item) => item.values),
      request,
    )
    for (const [i, { values, named }] of items.entries()) {
      const owner = { tenant_id: values.project_id }
      enforce(request, chapter, 'create', { ...targets[i], ...values, ...owner }, named)
    }
    const rows = await chapter.create(request, items)
    const views = (await readable(request, chapter, rows)).map((view) => view ?? {})
    return reply.code(201).send(bulk ? { [plural]: views } : { [singular]: views[0] })
  })

  const { update } = chapter
  if (update) {
    app.put(one, { config: rule('update') }, async (request) => {
      const id = idOf(request)
      const { target } = await seen(request, chapter, id)
      request.enforce(target)
      const { values, named } = acceptUpdate<Changes>(resource, request.body)
      enforce(request, chapter, 'update', { ...target, ...values }, named)
      const row = await update(request, id, values)
      return { [singular]: (await readable(request, chapter, [row]))[0] ?? {} }
    })
  }

  app.delete(one, { config: rule('delete') }, async (request, reply) => {
    const id = idOf(request)
    request.enforce((await seen(request, chapter, id)).target)
    await chapter.remove(request, id)
    return reply.code(204).send()
  })
}

const idOf = (request: FastifyRequest): string => (request.params as { id: string }).id

/** What the caller may see of each row; null for nothing. */
async function readable<Row extends { id: string }, New extends { project_id: string }, Changes>(
  request: FastifyRequest,
  chapter: Chapter<Row, New, Changes>,
  rows: readonly Row[],
): Promise<(View | null)[]> {
  const whole = await chapter.views(rows)
  const around = await chapter.surroundings(rows, request)
  return whole.map((view, i) => shownOf(request, chapter, view, { ...view, ...around[i] }))
}

function shownOf<Row extends { id: string }, New extends { project_id: string }, Changes>(
  request: FastifyRequest,
  { resource: { singular }, policy }: Chapter<Row, New, Changes>,
  view: View,
  target: Target,
): View | null {
  if (!request.can(target, `get_${singular}`)) return null
  const hidden = Object.keys(view).filter((name) => {
    const rule = `get_${singular}:${name}`
    return policy.has(rule) && !request.can(target, rule)
  })
  if (hidden.length === 0) return view
  return Object.fromEntries(Object.entries(view).filter(([name]) => !hidden.includes(name)))
}

/** @throws CloudError `notFound` also for what the caller may not see */
async function seen<Row extends { id: string }, New extends { project_id: string }, Changes>(
  request: FastifyRequest,
  chapter: Chapter<Row, New, Changes>,
  id: string,
): Promise<{ row: Row; view: View; target: Target }> {
  const row = await chapter.find(id)
  if (!row) throw chapter.notFound(id)
  const [whole = {}] = await chapter.views([row])
  const [around = {}] = await chapter.surroundings([row], request)
  const target = { ...whole, ...around }
  const view = shownOf(request, chapter, whole, target)
  if (view === null) throw chapter.notFound(id)
  return { row, view, target }
}

/** The rule of the action, and of each attribute (and part of an attribute) that has a rule of its own. */
function enforce<Row extends { id: string }, New extends { project_id: string }, Changes>(
  request: FastifyRequest,
  { resource, policy }: Chapter<Row, New, Changes>,
  action: 'create' | 'update',
  target: Target,
  named: ReadonlySet<string>,
): void {
  const rule = `${action}_${resource.singular}`
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
