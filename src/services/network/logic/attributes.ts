import type { Context } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import { malformed } from './errors.ts'
import { type Parse, Reason, shown } from './values.ts'

/** One attribute of a resource: what requests may do with it, and how it is found in the database. */
export interface Attribute {
  /** May be given on create, on update. */
  post?: boolean
  put?: boolean
  /** Without it a create is refused. */
  required?: boolean
  /** Its value on a create that does not name it. Left out: the logic knows whether it was named. */
  default?: unknown
  parse?: Parse
  /** How `?name=value` compares; the column may be filtered and sorted by. */
  column?: { name: string; kind: 'text' | 'flag' | 'integer' }
  /** Filtered by a rule of its own (`fixed_ips`). */
  filter?: boolean
}

export interface Resource {
  singular: string
  plural: string
  /** Order is the order of the answer. */
  attributes: Readonly<Record<string, Attribute>>
}

export const textColumn = (name: string) => ({ name, kind: 'text' }) as const
export const flagColumn = (name: string) => ({ name, kind: 'flag' }) as const
export const integerColumn = (name: string) => ({ name, kind: 'integer' }) as const

/** What every resource has. Source: Network API reference, "Standard Attributes" extensions. */
export const standardAttributes = {
  created_at: { column: textColumn('created_at') },
  updated_at: { column: textColumn('updated_at') },
  revision_number: { column: integerColumn('revision_number') },
} satisfies Record<string, Attribute>

/** The owner, under its new name and its old one. */
export const ownerAttributes = {
  tenant_id: { column: textColumn('project_id') },
  project_id: { column: textColumn('project_id') },
} satisfies Record<string, Attribute>

/** One resource of a create or update body, checked, with the keys that the caller had named. */
export interface Accepted<T> {
  values: T
  named: ReadonlySet<string>
}

/**
 * The items of a create: one (`{"network": {}}`) or several (`{"networks": [{}]}`).
 * @throws CloudError `badRequest`
 */
export function acceptCreate<T>(
  resource: Resource,
  ctx: Context,
  body: unknown,
): { bulk: boolean; items: Accepted<T>[] } {
  const whole = objectOf(body, 'Resource body required')
  if (resource.plural in whole && !(resource.singular in whole)) {
    const items = whole[resource.plural]
    if (!Array.isArray(items) || items.length === 0) throw malformed('Resources required')
    return { bulk: true, items: items.map((item) => acceptOne<T>(resource, ctx, unwrap(resource, item))) }
  }
  return { bulk: false, items: [acceptOne<T>(resource, ctx, inner(resource, whole))] }
}

/** Older clients wrap each item of a bulk create once more. */
const unwrap = (resource: Resource, item: unknown): Record<string, unknown> => {
  const object = objectOf(item, 'Resource body required')
  return resource.singular in object ? inner(resource, object) : object
}

const inner = (resource: Resource, whole: Record<string, unknown>): Record<string, unknown> =>
  objectOf(whole[resource.singular], `Unable to find '${resource.singular}' in request body`)

function objectOf(value: unknown, complaint: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(complaint)
  return value as Record<string, unknown>
}

function acceptOne<T>(resource: Resource, ctx: Context, item: Record<string, unknown>): Accepted<T> {
  refuseUnknown(resource, item)
  const values: Record<string, unknown> = { project_id: ownerOf(ctx, item) }
  for (const [name, attribute] of Object.entries(resource.attributes)) {
    if (name === 'tenant_id' || name === 'project_id') continue
    if (!(name in item)) {
      if (attribute.required) {
        throw malformed(`Failed to parse request. Required attribute '${name}' not specified`)
      }
      if ('default' in attribute) values[name] = attribute.default
      continue
    }
    if (!attribute.post) throw malformed(`Attribute '${name}' not allowed in POST`)
    values[name] = parsed(name, attribute, item[name])
  }
  return { values: values as T, named: namedIn(resource, item) }
}

/** Keys named with another value than the default: policy is asked about those. Source: Neutron, "policy.py". */
const namedIn = (resource: Resource, item: Record<string, unknown>): ReadonlySet<string> =>
  new Set(
    Object.keys(item).filter((name) => {
      const attribute = resource.attributes[name]
      return !attribute || !('default' in attribute) || attribute.default !== item[name]
    }),
  )

/** The changes of an update: only what was named. @throws CloudError `badRequest` */
export function acceptUpdate<T>(resource: Resource, body: unknown): Accepted<T> {
  const item = inner(resource, objectOf(body, 'Resource body required'))
  refuseUnknown(resource, item)
  const values: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(item)) {
    const attribute = resource.attributes[name]!
    if (!attribute.put) throw malformed(`Cannot update read-only attribute ${name}`)
    values[name] = parsed(name, attribute, value)
  }
  return { values: values as T, named: new Set(Object.keys(item)) }
}

function refuseUnknown(resource: Resource, item: Record<string, unknown>): void {
  const unknown = Object.keys(item).filter((name) => !Object.hasOwn(resource.attributes, name))
  if (unknown.length > 0) throw malformed(`Unrecognized attribute(s) '${unknown.join(', ')}'`)
}

function parsed(name: string, attribute: Attribute, value: unknown): unknown {
  try {
    return attribute.parse ? attribute.parse(value) : value
  } catch (error) {
    if (!(error instanceof Reason)) throw error
    throw malformed(`Invalid input for ${name}. Reason: ${error.message}.`)
  }
}

function ownerOf(ctx: Context, item: Record<string, unknown>): string {
  const named = item.project_id ?? item.tenant_id
  if (item.project_id !== undefined && item.tenant_id !== undefined && item.project_id !== item.tenant_id) {
    throw malformed("'project_id' and 'tenant_id' do not match")
  }
  if (named === undefined) {
    if (ctx.projectId) return ctx.projectId
    throw malformed('Running without keystone AuthN requires that tenant_id is specified')
  }
  if (typeof named !== 'string')
    throw malformed(`Invalid input for project_id. Reason: '${shown(named)}' is not a string.`)
  if (!ctx.isAdmin && named !== ctx.projectId) {
    throw malformed(
      "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges",
    )
  }
  return named
}

/** Whether `error` is a refusal of this kind: for callers that say it in other words. */
export const isKind = (error: unknown, kind: CloudError['kind']): error is CloudError =>
  error instanceof CloudError && error.kind === kind
