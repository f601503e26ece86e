import { type ExpressionBuilder, type ExpressionWrapper, type SqlBool, type StringReference, sql } from 'kysely'

/**
 * Rows whose column holds `text` somewhere, without regard to the case of ASCII letters, alike on both engines (their
 * own LIKE is not). `%` and `_` stand for themselves. No index helps: combine it with a filter that has one.
 */
export function contains<DB, TB extends keyof DB>(
  eb: ExpressionBuilder<DB, TB>,
  column: StringReference<DB, TB>,
  text: string,
): ExpressionWrapper<DB, TB, SqlBool> {
  const pattern = `%${escaped(text).toLowerCase()}%`
  return eb.and([sql<SqlBool>`lower(${sql.ref(column)}) like ${pattern} escape '\\'`])
}

const escaped = (text: string): string => text.replace(/[\\%_]/g, '\\$&')
