export interface FormerPasswordsTable {
  user_id: string
  password_hash: string
  replaced_at_ms: number
}

export interface FailedLogInsTable {
  user_id: string
  /** In a row, since the last success. */
  failures: number
  last_at_ms: number
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    identity_former_passwords: FormerPasswordsTable
    identity_failed_log_ins: FailedLogInsTable
  }
}
