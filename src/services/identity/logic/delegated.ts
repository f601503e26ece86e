import type { Context } from '../../../platform/auth/context.ts'
import { isDelegated } from '../../../platform/auth/delegation.ts'
import type { Claims } from '../../../platform/auth/token-codec.ts'
import { forbidden } from './refusals.ts'

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
export function refuseExchange(claims: Pick<Claims, 'methods' | 'delegation'>): void {
  if (claims.delegation?.kind === 'trust')
    throw forbidden(
      'You are not authorized to perform the requested action: Using trust-scoped token to create another token. Create a new trust-scoped token instead.',
    )
  if (isDelegated(claims))
    throw forbidden(
      'You are not authorized to perform the requested action: Using a delegated token to create another token is not allowed.',
    )
}

/**
 * Who may manage application credentials: the user in person, or an application credential that is itself free to.
 * One made by a trust or an EC2 key would outlive it. `change` also refuses the restricted ones.
 */
export function refuseDelegatedMaking(ctx: Context, change: boolean): void {
  const by = ctx.delegation
  if (by?.kind === 'application_credential') {
    if (change && by.restricted)
      throw forbidden(
        "You are not authorized to perform the requested action: Using method 'application_credential' is not allowed for managing additional application credentials.",
      )
    return
  }
  if (by || isDelegated(ctx))
    throw forbidden('Cannot manage application credentials with a token issued via delegation.')
}

/** A trust may be managed by the trustor in person, and by a trust's token, which is how rights are handed on further. */
export function refuseDelegatedTrusts(ctx: Context): void {
  if (isDelegated({ methods: ctx.methods }) || (ctx.delegation && ctx.delegation.kind !== 'trust'))
    throw forbidden('You are not authorized to perform the requested action: Delegated tokens cannot manage trusts.')
}
