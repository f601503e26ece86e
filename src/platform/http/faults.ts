import type { Kind } from '../errors.ts'

/** What went wrong with a request, before a service says it in its own dialect. */
export interface Fault {
  kind: Kind
  status: number
  message: string
  /** Name of the upstream exception, where the thrower knew one. */
  type: string | undefined
  requestId: string
  /** kind `forbidden`: the policy rule that refused. */
  rule: string | undefined
  /** A body, query or path that did not fit its schema: where, what was there, and why it was refused. */
  validation: { path: string; value: unknown; reason: string } | undefined
  /** The request's path, for dialects that repeat it. */
  url: string
  /** The request's microversion, for dialects that grew with them. */
  version?: number
}

export interface Spoken {
  status: number
  body: unknown
  contentType?: string
  headers?: Record<string, string>
}

/** How one service says a fault. Each service has exactly one, in its `routes/fault.ts`. */
export type FaultDialect = (fault: Fault) => Spoken

/** The status a kind has unless a dialect knows better. */
export const statusOf: Readonly<Record<Kind, number>> = {
  badRequest: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  notAllowed: 405,
  notAcceptable: 406,
  conflict: 409,
  gone: 410,
  tooLarge: 413,
  unsupportedMedia: 415,
  overQuota: 403,
  rateLimited: 429,
  notImplemented: 501,
  unavailable: 503,
  noSpace: 507,
  internal: 500,
}

/** The answer of Keystone's middleware to a missing or refused token, the same in front of every service. */
export const unauthorizedBody = {
  error: { code: 401, title: 'Unauthorized', message: 'The request you have made requires authentication.' },
}
