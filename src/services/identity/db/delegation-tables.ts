import type { Flag } from './tables.ts'

/** What a user keeps with the cloud to prove who they are, or to sign with. */
export interface CredentialsTable {
  /** For `ec2` the SHA-256 of the first access key, as upstream has it. */
  id: string
  user_id: string
  project_id: string | null
  type: string
  /** Encrypted: never SQL's business. */
  blob: string
  /** SHA-256 of the access key of an `ec2` credential, to be found by; null for others. */
  access_hash: string | null
  /** JSON. */
  extra: string
}

export interface ApplicationCredentialsTable {
  id: string
  user_id: string
  name: string
  project_id: string
  description: string | null
  /** PHC string, or `sha256:` and hexadecimal for a secret that we made: too long to be guessed at any speed. */
  secret_hash: string
  expires_at: string | null
  unrestricted: Flag
  /** JSON: role ids. */
  roles: string
}

export interface AccessRulesTable {
  id: string
  user_id: string
  service: string
  method: string
  path: string
}

/** Which rules bind an application credential; none: it is not bound. */
export interface ApplicationCredentialRulesTable {
  application_credential_id: string
  access_rule_id: string
}

/** What a user (trustor) lets another (trustee) do in their stead. */
export interface TrustsTable {
  id: string
  trustor_user_id: string
  trustee_user_id: string
  /** Null: it hands on no rights but the name. */
  project_id: string | null
  impersonation: Flag
  /** JSON: role ids. */
  roles: string
  expires_at: string | null
  /** Tokens that may still be made by it; null: any number. */
  remaining_uses: number | null
  /** How many times it may be handed on further. */
  redelegation_count: number
  redelegated_trust_id: string | null
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    identity_credentials: CredentialsTable
    identity_application_credentials: ApplicationCredentialsTable
    identity_access_rules: AccessRulesTable
    identity_application_credential_rules: ApplicationCredentialRulesTable
    identity_trusts: TrustsTable
  }
}
