/** What a constraint said no to, in one language for both engines. */
export type Violation = 'unique' | 'foreignKey' | 'notNull' | 'check'

/** SQLite's extended result codes and PostgreSQL's SQLSTATEs. */
const violations: Readonly<Record<string, Violation>> = {
  2067: 'unique',
  1555: 'unique',
  787: 'foreignKey',
  1299: 'notNull',
  275: 'check',
  23505: 'unique',
  23503: 'foreignKey',
  23502: 'notNull',
  23514: 'check',
}

/**
 * Which kind of constraint a failed statement ran into; null for any other error. On PostgreSQL the transaction is
 * over by then: catch outside `Database.write`, or insert with `onConflict` and look at the count.
 */
export function violationOf(error: unknown): Violation | null {
  if (!(error instanceof Error)) return null
  const code = 'errcode' in error ? error.errcode : 'code' in error ? error.code : null
  return violations[String(code)] ?? null
}
