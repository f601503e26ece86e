import type { Context } from '../../../platform/auth/context.ts'
import type { Claims } from '../../../platform/auth/token-codec.ts'
import { forbidden } from './refusals.ts'

/** By these a user proves in person who they are; whatever else there may be one day hands on rights. */
const inPerson = new Set(['password', 'token', 'totp'])

/** Whether the caller acts by a part of a user's rights that was handed on, not as the user. */
export const isDelegated = ({ methods }: Pick<Context, 'methods'>): boolean =>
  methods.length === 0 || methods.some((method) => !inPerson.has(method))

/**
 * Rights that were handed on must not grow into the user's whole: not by reading what the user can log in with.
 * Source: Keystone's security notes on application credentials and EC2 credentials.
 */
export function refuseDelegated(ctx: Context): void {
  if (isDelegated(ctx))
    throw forbidden(
      'You are not authorized to perform the requested action: Delegated tokens cannot access credentials directly.',
    )
}

/** Nor by an exchange for a token of another scope. */
export function refuseExchange(claims: Pick<Claims, 'methods'>): void {
  if (isDelegated(claims))
    throw forbidden(
      'You are not authorized to perform the requested action: Using a delegated token to create another token is not allowed.',
    )
}
