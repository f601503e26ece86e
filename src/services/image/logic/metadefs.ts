import type { Context } from '../../../platform/auth/context.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { Database, Db, Trx } from '../../../platform/db/database.ts'
import { violationOf } from '../../../platform/db/violations.ts'
import { CloudError } from '../../../platform/errors.ts'
import { newId } from '../../../platform/ids.ts'
import * as itemRows from '../db/metadef-items.ts'
import * as namespaceRows from '../db/metadef-namespaces.ts'
import type { MetadefKind } from '../db/metadef-tables.ts'

export type Namespace = namespaceRows.Namespace
export type Item = itemRows.Item

export interface Deps {
  database: Database
  clock: Clock
}

/** The policy's say on a namespace; null for one that is yet to be made. @throws CloudError */
export type AllowMetadef = (rule: string, namespace: Namespace | null) => void

export type Document = Record<string, unknown>

const visible = (ctx: Context, { owner, visibility }: Namespace): boolean =>
  ctx.isAdmin || owner === null || visibility === 'public' || owner === ctx.projectId

/** @throws CloudError `notFound`, also for another project's private namespace. */
export async function get(db: Db, ctx: Context, name: string): Promise<Namespace> {
  const found = await namespaceRows.find(db, name)
  if (found && visible(ctx, found)) return found
  throw new CloudError('notFound', `Metadata definition namespace=${name} was not found.`)
}

/** A namespace and, in the same transaction, all that came with it. */
export async function createNamespace(
  { database, clock }: Deps,
  ctx: Context,
  body: Document,
  allow: AllowMetadef,
): Promise<Namespace> {
  allow('add_metadef_namespace', null)
  const now = clock.now()
  const contents = contentsOf(body)
  for (const kind of kinds) {
    if (contents.some((item) => item.kind === kind)) allow(rules[kind].add, null)
  }
  const namespace = changed({ id: newId(), createdAt: now }, ctx, body, now)
  return database.write(async (trx) => {
    if (!(await namespaceRows.insert(trx, namespace))) {
      throw new CloudError('conflict', `The metadata definition namespace=${namespace.namespace} already exists.`)
    }
    for (const { kind, name, value } of contents) await insertItem(trx, namespace, kind, name, value, now)
    return namespace
  })
}

/** What is left out goes back to how a new namespace has it, as upstream. */
export async function updateNamespace(
  { database, clock }: Deps,
  ctx: Context,
  name: string,
  body: Document,
  allow: AllowMetadef,
): Promise<Namespace> {
  const wanted = String(body.namespace)
  const taken = `Invalid update. It would result in a duplicate metadata definition namespace with the same name of ${wanted}`
  return refusingDuplicates(taken, () =>
    database.write(async (trx) => {
      const namespace = await get(trx, ctx, name)
      allow('modify_metadef_namespace', namespace)
      const after = changed(namespace, ctx, body, clock.now())
      await namespaceRows.save(trx, after)
      return after
    }),
  )
}

export async function removeNamespace({ database }: Deps, ctx: Context, name: string, allow: AllowMetadef) {
  await database.write(async (trx) => {
    const namespace = await get(trx, ctx, name)
    allow('delete_metadef_namespace', namespace)
    refuseProtected(namespace)
    await namespaceRows.remove(trx, namespace.id)
  })
}

/** All of a kind. */
export async function removeItems(
  { database }: Deps,
  ctx: Context,
  namespaceName: string,
  kind: 'object' | 'property' | 'tag',
  allow: AllowMetadef,
) {
  await database.write(async (trx) => {
    const namespace = await get(trx, ctx, namespaceName)
    allow('delete_metadef_namespace', namespace)
    if (kind === 'tag') allow('delete_metadef_tags', namespace)
    refuseProtected(namespace)
    await itemRows.remove(trx, namespace.id, kind)
  })
}

function refuseProtected(namespace: Namespace, noun = 'namespace', name = namespace.namespace): void {
  if (!namespace.protected) return
  throw new CloudError('forbidden', `Metadata definition ${noun} ${name} is protected and cannot be deleted.`)
}

function changed(before: Pick<Namespace, 'id' | 'createdAt'>, ctx: Context, body: Document, now: string): Namespace {
  const text = (key: string) => (typeof body[key] === 'string' ? body[key] : null)
  return {
    id: before.id,
    namespace: String(body.namespace),
    displayName: text('display_name'),
    description: text('description'),
    visibility: body.visibility === 'public' ? 'public' : 'private',
    protected: body.protected === true,
    owner: text('owner') ?? ctx.projectId,
    createdAt: before.createdAt,
    updatedAt: now,
  }
}

const kinds = ['resource_type', 'object', 'tag', 'property'] as const satisfies readonly MetadefKind[]

/** Upstream's rule for each deed, and its words for what is missing, there already, or kept. */
const rules = {
  object: {
    ...{ add: 'add_metadef_object', show: 'get_metadef_object', change: 'modify_metadef_object' },
    ...{ remove: 'delete_metadef_object', noun: 'object' },
  },
  property: {
    ...{ add: 'add_metadef_property', show: 'get_metadef_property', change: 'modify_metadef_property' },
    ...{ remove: 'remove_metadef_property', noun: 'property' },
  },
  tag: {
    ...{ add: 'add_metadef_tag', show: 'get_metadef_tag', change: 'modify_metadef_tag' },
    ...{ remove: 'delete_metadef_tag', noun: 'tag' },
  },
  resource_type: {
    ...{ add: 'add_metadef_resource_type_association', show: 'get_metadef_resource_type', change: '' },
    ...{ remove: 'remove_metadef_resource_type_association', noun: 'resource-type-association' },
  },
} as const

/** What stands inside a new namespace's document, in the order it is made. */
function contentsOf(body: Document): { kind: MetadefKind; name: string; value: Document }[] {
  const listed = (key: string, kind: MetadefKind) =>
    ((body[key] ?? []) as Document[]).map((value) => ({ kind, name: String(value.name), value }))
  const properties = Object.entries((body.properties ?? {}) as Record<string, Document>)
  return [
    ...listed('resource_type_associations', 'resource_type'),
    ...listed('objects', 'object'),
    ...listed('tags', 'tag'),
    ...properties.map(([name, value]) => ({ kind: 'property' as const, name, value })),
  ]
}

async function insertItem(
  trx: Trx,
  namespace: Namespace,
  kind: MetadefKind,
  name: string,
  value: Document,
  now: string,
): Promise<void> {
  if (kind === 'resource_type') await itemRows.ensureResourceType(trx, name, now)
  const item = { namespaceId: namespace.id, kind, name, value, createdAt: now, updatedAt: now }
  if (!(await itemRows.insert(trx, item))) throw duplicate(namespace, kind, name)
}

function duplicate({ namespace }: Namespace, kind: MetadefKind, name: string): CloudError {
  if (kind === 'tag') {
    const hint = '(Please note that metadata tag names are case insensitive).'
    return new CloudError(
      'conflict',
      `A metadata tag with name=${name} already exists in namespace=${namespace}. ${hint}`,
    )
  }
  if (kind === 'resource_type') {
    return new CloudError(
      'conflict',
      `The metadata definition resource-type association of resource-type=${name} to namespace=${namespace} already exists.`,
    )
  }
  return new CloudError(
    'conflict',
    `A metadata definition ${kind} with name=${name} already exists in namespace=${namespace}.`,
  )
}

function missing({ namespace }: Namespace, kind: MetadefKind, name: string): CloudError {
  if (kind === 'resource_type') return new CloudError('notFound', `Failed to find resource type ${name} to delete`)
  return new CloudError(
    'notFound',
    `The metadata definition ${kind} with name=${name} was not found in namespace=${namespace}.`,
  )
}

export async function createItem(
  { database, clock }: Deps,
  ctx: Context,
  namespaceName: string,
  kind: MetadefKind,
  value: Document,
  allow: AllowMetadef,
): Promise<Item> {
  return database.write(async (trx) => {
    const namespace = await get(trx, ctx, namespaceName)
    allow(rules[kind].add, namespace)
    await insertItem(trx, namespace, kind, String(value.name), value, clock.now())
    return existing(trx, namespace, kind, String(value.name))
  })
}

/** Instead of the namespace's tags, or besides them. */
export async function createTags(
  { database, clock }: Deps,
  ctx: Context,
  namespaceName: string,
  names: readonly string[],
  append: boolean,
  allow: AllowMetadef,
): Promise<void> {
  await database.write(async (trx) => {
    const namespace = await get(trx, ctx, namespaceName)
    allow('add_metadef_tags', namespace)
    if (!append && names.length > 0) await itemRows.remove(trx, namespace.id, 'tag')
    const now = clock.now()
    for (const name of names) await insertItem(trx, namespace, 'tag', name, { name }, now)
  })
}

async function existing(db: Db, namespace: Namespace, kind: MetadefKind, name: string): Promise<Item> {
  const found = await itemRows.find(db, namespace.id, kind, name)
  if (!found) throw missing(namespace, kind, name)
  return found
}

export async function getItem(
  { database }: Deps,
  ctx: Context,
  namespaceName: string,
  kind: MetadefKind,
  name: string,
  allow: AllowMetadef,
): Promise<Item> {
  const namespace = await get(database.read, ctx, namespaceName)
  allow(rules[kind].show, namespace)
  return existing(database.read, namespace, kind, name)
}

/** A property by the name that it has on a type of resource. */
export async function getPrefixedProperty(
  deps: Deps,
  ctx: Context,
  namespaceName: string,
  name: string,
  resourceType: string,
  allow: AllowMetadef,
): Promise<Item> {
  const db = deps.database.read
  const namespace = await get(db, ctx, namespaceName)
  allow('get_metadef_property', namespace)
  allow('get_metadef_resource_type', namespace)
  const association = await itemRows.find(db, namespace.id, 'resource_type', resourceType)
  if (!association) {
    throw new CloudError(
      'notFound',
      `The metadata definition resource-type association of resource-type=${resourceType} to namespace=${namespaceName}, was not found.`,
    )
  }
  const prefix = typeof association.value.prefix === 'string' ? association.value.prefix : ''
  if (!prefix || !name.startsWith(prefix)) {
    throw new CloudError(
      'notFound',
      `Property ${name} does not start with the expected resource type association prefix of '${prefix || 'None'}'.`,
    )
  }
  return existing(db, namespace, 'property', name.slice(prefix.length))
}

export async function updateItem(
  { database, clock }: Deps,
  ctx: Context,
  namespaceName: string,
  kind: Exclude<MetadefKind, 'resource_type'>,
  name: string,
  value: Document,
  allow: AllowMetadef,
): Promise<Item> {
  const noun = kind === 'tag' ? 'tag' : `definition ${kind}`
  const taken = `Invalid update. It would result in a duplicate metadata ${noun} with same name=${String(value.name)} in namespace=${namespaceName}.`
  return refusingDuplicates(taken, () =>
    database.write(async (trx) => {
      const namespace = await get(trx, ctx, namespaceName)
      allow(rules[kind].change, namespace)
      const item = await existing(trx, namespace, kind, name)
      const after = { ...item, name: String(value.name), value, updatedAt: clock.now() }
      await itemRows.save(trx, name, after)
      return after
    }),
  )
}

export async function removeItem(
  { database }: Deps,
  ctx: Context,
  namespaceName: string,
  kind: MetadefKind,
  name: string,
  allow: AllowMetadef,
): Promise<void> {
  await database.write(async (trx) => {
    const namespace = await get(trx, ctx, namespaceName)
    allow(rules[kind].remove, namespace)
    await existing(trx, namespace, kind, name)
    refuseProtected(namespace, rules[kind].noun, name)
    await itemRows.remove(trx, namespace.id, kind, name)
  })
}

async function refusingDuplicates<T>(message: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (thrown) {
    if (violationOf(thrown) === 'unique') throw new CloudError('conflict', message, { cause: thrown })
    throw thrown
  }
}
