import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Static, TSchema } from 'typebox'
import { CloudError } from '../errors.ts'

/** A request that does not fit its schema. */
export class InvalidRequest extends CloudError {
  readonly path: string
  readonly value: unknown
  readonly reason: string
  constructor(path: string, value: unknown, reason: string) {
    const shown = JSON.stringify(value) ?? 'none'
    super(
      'badRequest',
      `Invalid input for field/attribute ${path || 'body'}. Value: ${shown.length > 300 ? `${shown.slice(0, 300)}…` : shown}. ${reason}`,
    )
    this.path = path
    this.value = value
    this.reason = reason
  }
}

const plugFormats = addFormats as unknown as (ajv: Ajv2020) => void

function newAjv(coerceTypes: boolean | 'array'): Ajv2020 {
  const ajv = new Ajv2020({ coerceTypes, useDefaults: true, strict: false, verbose: true, allErrors: false })
  plugFormats(ajv)
  return ajv
}

// Bodies mean what they say: no type is bent, no key is dropped. Query strings are all text, so theirs are bent.
const strict = newAjv(false)
const lenient = newAjv('array')

/** Says whether a value fits, and why not. */
export interface Validate {
  (value: unknown): boolean
  readonly schema: object
  errors?: ErrorObject[] | null | undefined
}

/**
 * Prepares a schema for one part of a request; the result throws nothing and returns the first fault. It is compiled
 * when it is first asked: most routes of a small cloud are never called, and compiling all would cost the start 0.1 s
 * and 20 MB a service.
 */
export function compile(schema: object, part: string | undefined): Validate {
  let compiled: ValidateFunction | undefined
  const check = (value: unknown): boolean => {
    compiled ??= (part === 'body' || part === undefined ? strict : lenient).compile(schema)
    const fits = compiled(value) as boolean
    validate.errors = compiled.errors
    return fits
  }
  const validate: Validate = Object.assign(check, { schema })
  return validate
}

const validators = new WeakMap<object, Validate>()

function validatorOf(schema: object): Validate {
  const known = validators.get(schema) ?? compile(schema, 'body')
  validators.set(schema, known)
  return known
}

/** Whether a value from elsewhere (a manifest, a stored document) is what the schema says. */
export const fits = <T extends TSchema>(schema: T, value: unknown): value is Static<T> => validatorOf(schema)(value)

/** Where and why a value does not fit: `/layers/0 must have required property 'digest'`. */
export function misfit(schema: TSchema, value: unknown): string {
  const validate = validatorOf(schema)
  const [first] = validate(value) ? [] : (validate.errors ?? [])
  return `${first?.instancePath || '/'} ${first?.message ?? 'does not fit'}`
}

/** Checks a body that only the handler can choose the schema for (microversions, action names). @throws InvalidRequest */
export function check<T>(validate: Validate, value: unknown): T {
  if (!validate(value)) throw invalid(validate.errors ?? [])
  return value as T
}

/** Ajv's errors → one sentence that names the field, what was there, and why it will not do. */
export function invalid(errors: readonly ErrorObject[]): InvalidRequest {
  // A union reports each branch; the branch's own, deepest complaint says more than "must match a schema in anyOf".
  const error = [...errors].sort((a, b) => depth(b) - depth(a))[0]
  if (!error) return new InvalidRequest('', undefined, 'The request is not valid.')
  const path = error.instancePath.split('/').slice(1).map(unescapePointer).join('.')
  const shown = JSON.stringify(error.data)
  const params = error.params as Record<string, unknown>
  switch (error.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const key = String(params.additionalProperty ?? params.unevaluatedProperty)
      return new InvalidRequest(
        path || key,
        error.data,
        `Additional properties are not allowed ('${key}' was unexpected)`,
      )
    }
    case 'required':
      return new InvalidRequest(path, error.data, `'${params.missingProperty}' is a required property`)
    case 'maxLength':
      return new InvalidRequest(path, error.data, `${shown} is too long (at most ${params.limit} characters)`)
    case 'minLength':
      return new InvalidRequest(path, error.data, `${shown} is too short (at least ${params.limit} characters)`)
    case 'minimum':
      return new InvalidRequest(path, error.data, `${shown} is less than the minimum of ${params.limit}`)
    case 'maximum':
      return new InvalidRequest(path, error.data, `${shown} is greater than the maximum of ${params.limit}`)
    case 'type':
      return new InvalidRequest(path, error.data, `${shown} is not of type ${JSON.stringify(params.type)}`)
    case 'enum':
      return new InvalidRequest(path, error.data, `${shown} is not one of ${JSON.stringify(params.allowedValues)}`)
    case 'const':
      return new InvalidRequest(path, error.data, `${shown} is not ${JSON.stringify(params.allowedValue)}`)
    case 'pattern':
      return new InvalidRequest(path, error.data, `${shown} does not match '${params.pattern}'`)
    case 'format':
      return new InvalidRequest(path, error.data, `${shown} is not a '${params.format}'`)
    default:
      return new InvalidRequest(path, error.data, `${shown} ${error.message ?? 'is not valid'}`)
  }
}

const depth = (e: ErrorObject): number => e.instancePath.split('/').length * 2 + (e.keyword === 'anyOf' ? 0 : 1)
const unescapePointer = (s: string): string => s.replaceAll('~1', '/').replaceAll('~0', '~')
