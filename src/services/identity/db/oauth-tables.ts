/** A program that users may let act for them. Source: RFC 5849 ("client"). */
export interface ConsumersTable {
  id: string
  /** Encrypted: it signs, so it must be read again. */
  secret: string
  description: string | null
  /** JSON. */
  extra: string
}

/** A consumer's wish to act in a project, until a user has said yes and the consumer has come back for it. */
export interface RequestTokensTable {
  id: string
  /** Encrypted. */
  secret: string
  consumer_id: string
  project_id: string
  /** Null until somebody says yes, as the next two. */
  user_id: string | null
  verifier: string | null
  /** JSON. */
  role_ids: string | null
  expires_at_ms: number
}

/** What a user lets a consumer do. */
export interface AccessTokensTable {
  id: string
  /** Encrypted. */
  secret: string
  consumer_id: string
  project_id: string
  user_id: string
  /** JSON. */
  role_ids: string
  expires_at_ms: number
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    identity_consumers: ConsumersTable
    identity_request_tokens: RequestTokensTable
    identity_access_tokens: AccessTokensTable
  }
}
