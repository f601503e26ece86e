/** What can go wrong, without a word of HTTP. Each service says a kind in its own dialect (`FaultDialect`). */
export type Kind =
  | 'badRequest'
  | 'unauthorized'
  | 'forbidden'
  | 'notFound'
  | 'notAllowed'
  | 'notAcceptable'
  | 'conflict'
  | 'gone'
  | 'tooLarge'
  | 'unsupportedMedia'
  | 'overQuota'
  | 'rateLimited'
  | 'notImplemented'
  | 'unavailable'
  | 'noSpace'
  | 'internal'

/** A failure the caller can act on: they read `message`; `cause` stays in our log. */
export class CloudError extends Error {
  override name = 'CloudError'
  readonly kind: Kind
  /** Name of the upstream exception where clients read it (Neutron's `type`, the registry's `code`). */
  readonly type: string | undefined
  constructor(kind: Kind, message: string, options?: ErrorOptions & { type?: string }) {
    super(message, options)
    this.kind = kind
    this.type = options?.type
  }
}

/** Thrown also for another project's resource, whose existence is not ours to tell. */
export class NotFound extends CloudError {
  constructor(noun: string, id: string, options?: ErrorOptions & { type?: string }) {
    super('notFound', `${noun} ${id} could not be found.`, options)
  }
}

/** The text of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
