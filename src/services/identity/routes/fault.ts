import { STATUS_CODES } from 'node:http'
import type { FaultDialect } from '../../../platform/http/faults.ts'

/**
 * `{"error": {"code": 404, "title": "Not Found", "message": "…"}}`.
 * Source: Identity API reference, "HTTP status codes"; the texts are Keystone's.
 */
export const identityFault: FaultDialect = ({ status, message, rule }) => {
  const said = rule ? `You are not authorized to perform the requested action: ${rule}.` : message
  return { status, body: { error: { code: status, title: STATUS_CODES[status] ?? 'Error', message: said } } }
}
