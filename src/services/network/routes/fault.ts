import type { Kind } from '../../../platform/errors.ts'
import { type FaultDialect, unauthorizedBody } from '../../../platform/http/faults.ts'
import { revisionConflictType } from '../logic/errors.ts'

/** Names for failures that no rule of ours named: those of the web framework under Neutron. */
const types: Readonly<Record<Kind, string>> = {
  badRequest: 'HTTPBadRequest',
  unauthorized: 'HTTPUnauthorized',
  forbidden: 'PolicyNotAuthorized',
  notFound: 'HTTPNotFound',
  notAllowed: 'HTTPMethodNotAllowed',
  notAcceptable: 'HTTPNotAcceptable',
  conflict: 'HTTPConflict',
  gone: 'HTTPGone',
  tooLarge: 'HTTPRequestEntityTooLarge',
  unsupportedMedia: 'HTTPUnsupportedMediaType',
  overQuota: 'OverQuota',
  rateLimited: 'HTTPTooManyRequests',
  notImplemented: 'HTTPNotImplemented',
  unavailable: 'ServiceUnavailable',
  noSpace: 'HTTPInsufficientStorage',
  internal: 'HTTPInternalServerError',
}

/** `{"NeutronError": {"type", "message", "detail"}}`. Source: Network API guide, "Faults". */
export const networkFault: FaultDialect = ({ kind, status, message, type, rule }) => {
  if (kind === 'unauthorized') return { status, body: unauthorizedBody }
  const text = rule === undefined ? message : `rule:${rule} is disallowed by policy`
  return {
    status: kind === 'overQuota' ? 409 : type === revisionConflictType ? 412 : status,
    body: { NeutronError: { type: type ?? types[kind], message: text, detail: '' } },
  }
}
