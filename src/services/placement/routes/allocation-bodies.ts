import type { FastifyRequest } from 'fastify'
import { type TProperties, Type } from 'typebox'
import { compile } from '../../../platform/http/validation.ts'
import type { Wanted } from '../logic/consumers.ts'
import { dashed, since, strict, Uuid } from './common.ts'

const Text = Type.String({ minLength: 1, maxLength: 255 })
const Resources = Type.Record(Type.String({ pattern: '^[A-Z0-9_]+$' }), Type.Integer({ minimum: 1 }), {
  ...strict,
  minProperties: 1,
})
const listed = Type.Array(
  Type.Object({ resource_provider: Type.Object({ uuid: Uuid }, strict), resources: Resources }, strict),
  { minItems: 1 },
)
const keyed = (minProperties: number) =>
  Type.Record(
    Type.String({ pattern: '^[0-9a-fA-F-]{36}$' }),
    Type.Object({ generation: Type.Optional(Type.Integer()), resources: Resources }, strict),
    { ...strict, minProperties },
  )
const owner = { project_id: Text, user_id: Text }
const generation = { consumer_generation: Type.Union([Type.Integer(), Type.Null()]) }
const mappings = {
  mappings: Type.Optional(Type.Record(Type.String(), Type.Array(Uuid, { minItems: 1 }), { minProperties: 1 })),
}
const type = { consumer_type: Type.String({ pattern: '^[A-Z0-9_]+$', minLength: 1, maxLength: 255 }) }

const object = (properties: TProperties) => Type.Object(properties, strict)
const several = (one: ReturnType<typeof object>, minProperties: number) =>
  Type.Record(Type.String({ pattern: '^[0-9a-fA-F-]{36}$' }), one, { ...strict, minProperties })

/** A consumer's body from each microversion on, newest first. */
const ones = [
  ['1.38', object({ allocations: keyed(0), ...owner, ...generation, ...mappings, ...type })],
  ['1.34', object({ allocations: keyed(0), ...owner, ...generation, ...mappings })],
  ['1.28', object({ allocations: keyed(0), ...owner, ...generation })],
  ['1.12', object({ allocations: keyed(1), ...owner })],
  ['1.8', object({ allocations: listed, ...owner })],
  ['1.0', object({ allocations: listed })],
] as const
const before28 = object({ allocations: keyed(0), ...owner })

const compiled = ones.map(([version, schema]) => ({ version, validate: compile(schema, 'body') }))
const severalCompiled = ones.map(([version, schema]) => ({
  version,
  validate: compile(several(version === '1.12' ? before28 : schema, 1), 'body'),
}))

/** The schema of one consumer's allocations at the request's microversion. */
export const oneBody = (request: FastifyRequest) => compiled.find(({ version }) => since(request, version))!.validate
/** The same for several consumers. */
export const severalBody = (request: FastifyRequest) =>
  severalCompiled.find(({ version }) => since(request, version))!.validate
export const everyOneSchema = () => compiled.map(({ validate }) => validate.schema)
export const everySeveralSchema = () => severalCompiled.map(({ validate }) => validate.schema)
/** For the reshaper, which may be given none. */
export const consumersSchemas = ones.slice(0, 3).map(([version, schema]) => ({ version, schema: several(schema, 0) }))

type Amounts = Record<string, number>
export interface OneBody {
  allocations: Record<string, { resources: Amounts }> | { resource_provider: { uuid: string }; resources: Amounts }[]
  project_id?: string
  user_id?: string
  consumer_generation?: number | null
  consumer_type?: string
}

/** Who owns what old clients allocate without a word of project and user. */
const nobody = '00000000-0000-0000-0000-000000000000'

export function wantedOf(consumerId: string, body: OneBody): Wanted {
  const pairs = Array.isArray(body.allocations)
    ? body.allocations.map((each) => [each.resource_provider.uuid, each.resources] as const)
    : Object.entries(body.allocations).map(([id, each]) => [id, each.resources] as const)
  return {
    ...{ consumerId: dashed(consumerId), projectId: body.project_id ?? nobody, userId: body.user_id ?? nobody },
    ...{ type: body.consumer_type ?? null, generation: body.consumer_generation },
    allocations: new Map(pairs.map(([id, resources]) => [dashed(id), new Map(Object.entries(resources))])),
  }
}
