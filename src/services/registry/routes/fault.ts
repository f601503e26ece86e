import type { Kind } from '../../../platform/errors.ts'
import type { FaultDialect } from '../../../platform/http/faults.ts'

const codes: Partial<Readonly<Record<Kind, string>>> = {
  unauthorized: 'UNAUTHORIZED',
  forbidden: 'DENIED',
  notFound: 'NAME_UNKNOWN',
  notAllowed: 'UNSUPPORTED',
  rateLimited: 'TOOMANYREQUESTS',
  unavailable: 'UNAVAILABLE',
  internal: 'UNKNOWN',
}

/** `{"errors": [{"code", "message", "detail"}]}`. Source: OCI distribution specification 1.1, "Error Codes". */
export const registryFault: FaultDialect = ({ kind, status, message, type }) => ({
  status,
  body: { errors: [{ code: type ?? codes[kind] ?? 'UNSUPPORTED', message, detail: null }] },
  headers: { 'docker-distribution-api-version': 'registry/2.0' },
})
