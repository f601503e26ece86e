import { type FaultDialect, unauthorizedBody } from '../../../platform/http/faults.ts'
import { microversion } from '../../../platform/http/microversions.ts'
import { versions } from '../versions.ts'

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** `{"errors": [{status, title, detail, code, request_id}]}`. Source: API guidelines, "Errors"; Placement 1.23. */
export const placementFault: FaultDialect = ({ status, message, type, rule, validation, requestId, version = 0 }) => {
  if (status === 401) return { status, body: unauthorizedBody }
  const detail = rule !== undefined ? `Policy does not allow ${rule} to be performed.` : message
  return {
    status,
    body: {
      errors: [
        {
          ...{ status, title: titles[status] ?? 'Error' },
          detail: validation === undefined ? detail : `JSON does not validate: ${message}`,
          ...(version >= microversion('1.23') ? { code: type ?? 'placement.undefined_code' } : {}),
          request_id: requestId,
          ...(status === 406 ? { max_version: versions.max, min_version: versions.min } : {}),
        },
      ],
    },
  }
}
