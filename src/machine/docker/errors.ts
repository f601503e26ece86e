import { CloudError, type Kind, messageOf } from '../../platform/errors.ts'

const kinds: Readonly<Record<number, Kind>> = {
  400: 'badRequest',
  401: 'forbidden',
  403: 'forbidden',
  404: 'notFound',
  409: 'conflict',
  503: 'unavailable',
}

/** An engine's refusal, `{"message": "…"}`. Source: Docker Engine API reference, "Errors". */
export function errorOfAnswer(status: number, text: string): CloudError {
  return errorOfMessage(messageIn(text) || `The Docker Engine answered with status ${status}.`, kinds[status])
}

/** The registry, or the engine's own containerd, is away for now. */
const passing =
  /connection refused|connection reset|i\/o timeout|no such host|unexpected EOF|TLS handshake|transport is closing|ttrpc: closed|error while dialing|code = Unavailable/i

/** A failure told in words only, as in the progress stream of a pull. */
export function errorOfMessage(message: string, kind: Kind = 'internal'): CloudError {
  if (/no space left on device|disk quota exceeded/i.test(message)) return new CloudError('noSpace', message)
  // The registry's words come through the engine as 500, or as a line of progress.
  if (kind === 'internal' && /manifest unknown|manifest for .* not found|no such image/i.test(message))
    return new CloudError('notFound', message)
  if (kind === 'internal' && passing.test(message)) return new CloudError('unavailable', message)
  return new CloudError(kind, message)
}

/** The engine could not be spoken to: its socket is absent, nobody listens, or it went away half way. */
export function errorOfTransport(thrown: unknown, socketPath: string): CloudError {
  const code = codeOf(thrown)
  const why: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such socket',
    ECONNREFUSED: 'nobody listens there',
    EACCES: 'this user may not open the socket',
    ECONNRESET: 'it closed the connection',
    EPIPE: 'it closed the connection',
    UND_ERR_SOCKET: 'it closed the connection',
  }
  const reason = (code && why[code]) ?? messageOf(thrown)
  return new CloudError('unavailable', `The Docker Engine at ${socketPath} is not reachable: ${reason}.`, {
    cause: thrown,
  })
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}

function messageIn(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message)
  } catch {
    // Not JSON: an engine's proxy, or a panic; the text itself is the best there is.
  }
  return text.trim()
}
