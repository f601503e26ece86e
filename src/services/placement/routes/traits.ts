import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { check, compile } from '../../../platform/http/validation.ts'
import * as rows from '../db/providers.ts'
import type { Deps } from '../logic/deps.ts'
import * as names from '../logic/names.ts'
import * as providers from '../logic/providers.ts'
import { badRequest, codes, conflict, notFound } from '../logic/refusals.ts'
import { checkKeys, dated, idParams, last, nameParams, type Query, queryOf, strict } from './common.ts'

const Trait = Type.String({ minLength: 1, maxLength: 255 })
const wanted = compile(
  Type.Object({ traits: Type.Array(Trait), resource_provider_generation: Type.Integer() }, strict),
  'body',
)

/** Source: Placement API reference, "Traits", "Resource provider traits". */
export function traitRoutes(app: App, deps: Deps): void {
  const { database, clock } = deps
  const rule = (verb: string) => ({ policy: `placement:traits:${verb}`, since: '1.6' })
  const ofProvider = (verb: string) => ({ policy: `placement:resource_providers:traits:${verb}`, since: '1.6' })
  const one = { params: nameParams }
  const provider = { params: idParams }

  app.get('/traits', { config: rule('list') }, async (request, reply) => {
    const found = await names.listTraits(database.read, filterOf(queryOf(request)))
    dated(request, reply, null)
    return { traits: found }
  })

  app.get('/traits/:name', { config: rule('show'), schema: one }, async (request, reply) => {
    const { name } = request.params
    if (!(await names.traitExists(database.read, name))) throw notFound(`No such trait(s): ${name}.`)
    dated(request, reply, null)
    return reply.code(204).send()
  })

  app.put('/traits/:name', { config: rule('update'), schema: one }, async (request, reply) => {
    const { name } = request.params
    if (!/^CUSTOM_[A-Z0-9_]+$/.test(name) || name.length > 255) {
      throw badRequest(
        'The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix ' +
          '"CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"',
      )
    }
    const added = await names.addTrait(deps, name)
    dated(request, reply, null)
    return reply
      .code(added ? 201 : 204)
      .header('location', `/traits/${name}`)
      .send()
  })

  app.delete('/traits/:name', { config: rule('delete'), schema: one }, async (request, reply) => {
    await names.removeTrait(deps, request.params.name)
    return reply.code(204).send()
  })

  const path = '/resource_providers/:id/traits'
  app.get(path, { config: ofProvider('list'), schema: provider }, async (request, reply) => {
    const { id, generation, updated_at } = await providers.get(database.read, request.params.id)
    dated(request, reply, updated_at)
    const traits = (await rows.traits(database.read, [id])).get(id) ?? []
    return { traits, resource_provider_generation: generation }
  })

  app.put(
    path,
    { config: { ...ofProvider('update'), bodies: () => [wanted.schema] }, schema: provider },
    async (request, reply) => {
      const body = check<{ traits: string[]; resource_provider_generation: number }>(wanted, request.body)
      const after = await database.write(async (trx) => {
        const before = await providers.get(trx, request.params.id)
        if (before.generation !== body.resource_provider_generation) {
          const why = 'Please update the generation and try again.'
          throw conflict(`Resource provider's generation already changed. ${why}`, codes.concurrentUpdate)
        }
        const unknown = await names.unknownTraits(trx, body.traits)
        if (unknown.length > 0) throw badRequest(`No such trait ${unknown.join(', ')}`)
        await rows.setTraits(trx, before.id, body.traits)
        await rows.bump(trx, [before.id], clock.now())
        return await providers.get(trx, before.id)
      })
      dated(request, reply, after.updated_at)
      return { traits: [...new Set(body.traits)].sort(), resource_provider_generation: after.generation }
    },
  )

  app.delete(path, { config: ofProvider('delete'), schema: provider }, async (request, reply) => {
    await database.write(async (trx) => {
      const { id } = await providers.get(trx, request.params.id)
      await rows.setTraits(trx, id, [])
      await rows.bump(trx, [id], clock.now())
    })
    return reply.code(204).send()
  })
}

function filterOf(query: Query): names.TraitFilter {
  checkKeys(query, (name) => name === 'name' || name === 'associated')
  const filter: names.TraitFilter = {}
  const name = last(query, 'name')
  if (name !== undefined) {
    const [, verb, value] = /^([^:]*):(.*)$/s.exec(name) ?? []
    if (verb === undefined || value === undefined) {
      const form = '?name=[in|startswith]:[name1,name2|prefix]'
      throw badRequest(
        `Badly formatted name parameter. Expected name query string parameter in form: ${form}. Got: "${name}"`,
      )
    }
    if (verb === 'in') filter.names = value.split(',')
    if (verb === 'startswith') filter.prefix = value
  }
  const associated = last(query, 'associated')?.toLowerCase()
  if (associated !== undefined && associated !== 'true' && associated !== 'false') {
    throw badRequest('The query parameter "associated" only accepts "true" or "false"')
  }
  if (associated !== undefined) filter.associated = associated === 'true'
  return filter
}
