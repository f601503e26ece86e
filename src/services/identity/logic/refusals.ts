import { CloudError } from '../../../platform/errors.ts'

/** Clients match on these texts. Source: Keystone's exception messages, as its API returns them. */
export const notFound = (noun: string, id: string): CloudError =>
  new CloudError('notFound', `Could not find ${noun}: ${id}.`)

export const badRequest = (message: string): CloudError => new CloudError('badRequest', message)

export const conflict = (noun: string, details: string): CloudError =>
  new CloudError('conflict', `Conflict occurred attempting to store ${noun} - ${details}.`)

/** A state, not a policy, forbids it. */
export const forbidden = (message: string): CloudError => new CloudError('forbidden', message)

/** Never says which part was wrong. */
export const unauthorized = (): CloudError =>
  new CloudError('unauthorized', 'The request you have made requires authentication.')

/** @throws CloudError kind `notFound` */
export function must<T>(found: T | undefined, noun: string, id: string): T {
  if (found === undefined) throw notFound(noun, id)
  return found
}

/** What is marked immutable is not changed or deleted before the mark is taken off. */
export function refuseImmutable(noun: string, id: string, options: Readonly<Record<string, unknown>>): void {
  if (options.immutable === true)
    throw forbidden(
      `Unable to update or delete the immutable ${noun} ${id}: set its option "immutable" to false beforehand.`,
    )
}
