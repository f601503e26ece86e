import type { FaultDialect } from '../../../platform/http/faults.ts'

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  416: 'Requested Range Not Satisfiable',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/**
 * A small HTML page, as the framework under the Image service makes of every refusal: its clients strip the tags and
 * print the lines. Source: glanceclient, `exc.from_response`; WebOb documentation, "webob.exc".
 */
export const imageFault: FaultDialect = ({ kind, status, message, rule, validation }) => {
  // Upstream's answer to a full disk and to a full quota.
  const code = kind === 'noSpace' || kind === 'overQuota' ? 413 : status
  const said = rule
    ? `You are not authorized to complete ${rule} action.`
    : validation
      ? `Provided object does not match schema 'image': ${validation.path ? `${validation.path}: ` : ''}${validation.reason}`
      : message
  const title = `${code} ${reasons[code] ?? 'Error'}`
  return {
    status: code,
    contentType: 'text/html; charset=UTF-8',
    body: `<html>
 <head>
  <title>${title}</title>
 </head>
 <body>
  <h1>${title}</h1>
  ${escaped(said)}<br /><br />
 </body>
</html>`,
  }
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
