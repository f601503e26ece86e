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

declare module '../../../platform/db/database.ts' {
  interface Tables {
    identity_credentials: CredentialsTable
  }
}
