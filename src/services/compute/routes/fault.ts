import type { FaultDialect } from '../../../platform/http/faults.ts'

const names: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
}

/** `{"itemNotFound": {"code": 404, "message": "…"}}`. Source: Compute API guide, "Faults". */
export const computeFault: FaultDialect = ({ status, message, kind }) => {
  if (kind === 'notAcceptable') {
    // Refused before it is any resource's business: the API group's own form.
    const error = { status: 406, code: '', title: 'Not Acceptable', detail: message, links: [] }
    return { status: 406, body: { errors: [error], computeFault: { code: 406, message } } }
  }
  return { status, body: { [names[status] ?? 'computeFault']: { code: status, message } } }
}
