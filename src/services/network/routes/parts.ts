import { malformed } from '../logic/errors.ts'
import { type Parse, Reason } from '../logic/values.ts'

/** One value of an action's body, inside the resource's name or bare, as clients send both. @throws CloudError `badRequest` */
export function partOf<T>(body: unknown, singular: string, name: string, parse: Parse<T>): T {
  const whole = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const inner = whole[singular]
  const values = (typeof inner === 'object' && inner !== null ? inner : whole) as Record<string, unknown>
  if (!(name in values)) throw malformed(`Failed to parse request. Required attribute '${name}' not specified`)
  try {
    return parse(values[name])
  } catch (error) {
    if (error instanceof Reason) throw malformed(`Invalid input for ${name}. Reason: ${error.message}.`)
    throw error
  }
}
