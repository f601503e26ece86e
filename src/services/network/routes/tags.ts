import type { FastifyRequest } from 'fastify'
import type { RawBuilder, SqlBool } from 'kysely'
import type { Target } from '../../../platform/auth/policy.ts'
import type { App } from '../../../platform/http/app.ts'
import { whether, withTags } from '../db/listing.ts'
import * as tagRows from '../db/tags.ts'
import type { Deps } from '../logic/deps.ts'
import { tagList, tagNotFound, tagText } from '../logic/tags.ts'

interface Tagged {
  table: tagRows.TaggedTable
  path: string
  /** Who may read tags, and who may write them. */
  readRule: string
  rule: string
  /** What policy judges. @throws CloudError `notFound` */
  targetOf(request: FastifyRequest): Promise<Target>
}

/** Source: Network API reference, "Tags" (extension `standard-attr-tag`). */
export function tagRoutes(app: App, deps: Deps, { table, path, readRule, rule, targetOf }: Tagged): void {
  const tags = `${path}/:id/tags`
  const one = `${tags}/:tag`
  const reading = { config: { policy: readRule, check: 'handler' } as const }
  const writing = { config: { policy: rule, check: 'handler' } as const }
  const params = (request: FastifyRequest) => request.params as { id: string; tag: string }

  /** All changes are of the whole list, so that two at once cannot lose one another's. */
  async function change(request: FastifyRequest, to: (old: string[]) => string[]): Promise<string[]> {
    request.enforce(await targetOf(request))
    const { id } = params(request)
    return await deps.database.write(async (trx) => {
      const next = to(await tagRows.read(trx, table, id))
      await tagRows.write(trx, table, id, next)
      return next
    })
  }

  app.get(tags, reading, async (request) => {
    await targetOf(request)
    return { tags: await tagRows.read(deps.database.read, table, params(request).id) }
  })
  app.put(tags, writing, async (request) => {
    const wanted = tagList(request.body)
    return { tags: await change(request, () => wanted) }
  })
  app.delete(tags, writing, async (request, reply) => {
    await change(request, () => [])
    return reply.code(204).send()
  })
  app.get(one, reading, async (request, reply) => {
    await targetOf(request)
    const { id, tag } = params(request)
    if (!(await tagRows.read(deps.database.read, table, id)).includes(tag)) throw tagNotFound(tag)
    return reply.code(204).send()
  })
  app.put(one, writing, async (request, reply) => {
    const tag = tagText(params(request).tag)
    await change(request, (old) => [...old, tag])
    return reply.code(201).send()
  })
  app.delete(one, writing, async (request, reply) => {
    const { tag } = params(request)
    await change(request, (old) => {
      if (!old.includes(tag)) throw tagNotFound(tag)
      return old.filter((other) => other !== tag)
    })
    return reply.code(204).send()
  })
}

/** `tags=a,b` (all), `tags-any` (one), and `not-` before either. */
export function tagFilter(name: string, values: readonly string[]): RawBuilder<SqlBool> | undefined {
  const [, not, any] = /^(not-)?tags(-any)?$/.exec(name) ?? []
  if (!/^(not-)?tags(-any)?$/.test(name)) return undefined
  const tags = values.flatMap((value) => value.split(',')).filter((tag) => tag !== '')
  if (tags.length === 0) return undefined
  return whether(not === undefined, withTags(tags, any === undefined))
}
