import type { FastifyRequest } from 'fastify'
import { seconds } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import { PolicyRefusal } from '../../../platform/http/app.ts'
import { check, compile, InvalidRequest } from '../../../platform/http/validation.ts'
import { metadefBodies } from '../logic/metadef-schema.ts'
import type { AllowMetadef, Document, Item, Namespace } from '../logic/metadefs.ts'

export const base = '/v2/metadefs/namespaces'

export type InNamespace = { Params: { namespace: string } }
export type Named = { Params: { namespace: string; name: string } }

export const route = (policy: string) => ({ exposeHeadRoute: false, config: { policy, check: 'handler' as const } })

const missing = (): CloudError => new CloudError('notFound', 'The resource could not be found.')

/** The policy, on namespaces; what may not be done in one that may not even be shown: there is none. */
export function allowIn(request: FastifyRequest): AllowMetadef {
  return (rule, namespace) => {
    const target = namespace
      ? { project_id: namespace.owner, visibility: namespace.visibility }
      : { project_id: request.ctx.projectId }
    if (request.can(target, rule)) return
    if (rule === 'get_metadef_namespace' || !request.can(target, 'get_metadef_namespace')) throw missing()
    throw new PolicyRefusal(rule)
  }
}

const validators = new Map<string, ReturnType<typeof compile>>()
const readOnly = {
  namespace: ['self', 'schema', 'created_at', 'updated_at'],
  object: ['self', 'schema', 'created_at', 'updated_at'],
  property: ['created_at', 'updated_at'],
  tag: ['created_at', 'updated_at'],
  tags: ['created_at', 'updated_at'],
  resource_type_association: ['created_at', 'updated_at'],
} as const

/** A request's document. @throws CloudError in upstream's words. */
export function bodyOf(name: keyof typeof metadefBodies, body: unknown): Document {
  if (body === undefined || body === null) throw new CloudError('badRequest', 'Body expected in request.')
  for (const key of readOnly[name]) {
    if (typeof body === 'object' && key in body) throw new CloudError('forbidden', `Attribute '${key}' is read-only.`)
  }
  const validate = validators.get(name) ?? compile(metadefBodies[name], 'body')
  validators.set(name, validate)
  try {
    return check<Document>(validate, body)
  } catch (thrown) {
    if (!(thrown instanceof InvalidRequest)) throw thrown
    const where = thrown.path ? `${thrown.path}: ` : ''
    throw new CloudError('badRequest', `Provided object does not match schema '${name}': ${where}${thrown.reason}`)
  }
}

export const searchOf = (request: FastifyRequest): URLSearchParams => new URL(request.url, 'http://x').searchParams

export function directionOf(search: URLSearchParams): 'asc' | 'desc' {
  const direction = search.get('sort_dir') ?? 'desc'
  if (direction !== 'asc' && direction !== 'desc') {
    throw new CloudError('badRequest', `Invalid sort direction: ${direction}`)
  }
  return direction
}

export function sortKeyOf<T extends string>(search: URLSearchParams, keys: readonly T[]): T {
  const wanted = search.get('sort_key') ?? 'created_at'
  const key = keys.find((one) => one === wanted)
  if (key === undefined) {
    throw new CloudError(
      'badRequest',
      `Invalid sort key: ${wanted}. It must be one of the following: ${keys.join(', ')}.`,
    )
  }
  return key
}

/** undefined when none was asked for. */
export function limitOf(search: URLSearchParams, least = 0): number | undefined {
  const text = search.get('limit')
  if (text === null) return undefined
  if (!/^[+-]?\d+$/.test(text.trim())) throw new CloudError('badRequest', 'limit param must be an integer')
  if (Number(text) < least) throw new CloudError('badRequest', 'limit param must be positive')
  return Math.min(1000, Number(text))
}

const times = ({ createdAt, updatedAt }: { createdAt: string; updatedAt: string }) => ({
  created_at: seconds(createdAt),
  updated_at: seconds(updatedAt),
})

export const namespaceView = (namespace: Namespace): Document => ({
  namespace: namespace.namespace,
  ...(namespace.displayName === null ? {} : { display_name: namespace.displayName }),
  ...(namespace.description === null ? {} : { description: namespace.description }),
  visibility: namespace.visibility,
  protected: namespace.protected,
  ...(namespace.owner === null ? {} : { owner: namespace.owner }),
  ...times(namespace),
  self: `${base}/${namespace.namespace}`,
  schema: '/v2/schemas/metadefs/namespace',
})

export const objectView = (namespace: string, item: Item): Document => ({
  name: item.name,
  required: item.value.required ?? [],
  ...(typeof item.value.description === 'string' ? { description: item.value.description } : {}),
  properties: item.value.properties ?? {},
  ...times(item),
  self: `${base}/${namespace}/objects/${item.name}`,
  schema: '/v2/schemas/metadefs/object',
})

export const propertyView = (item: Item): Document => ({ ...item.value, name: item.name })

export const tagView = (item: Item): Document => ({ name: item.name, ...times(item) })

export const associationView = (item: Item): Document => {
  const { prefix, properties_target } = item.value
  return {
    name: item.name,
    ...(typeof prefix === 'string' ? { prefix } : {}),
    ...(typeof properties_target === 'string' ? { properties_target } : {}),
    ...times(item),
  }
}
