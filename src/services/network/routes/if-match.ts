import type { FastifyRequest } from 'fastify'
import type { Db } from '../../../platform/db/database.ts'
import type { CloudError } from '../../../platform/errors.ts'
import type { Deps } from '../logic/deps.ts'
import { malformed, revisionConflict } from '../logic/errors.ts'

/**
 * `If-Match: revision_number=7`: what the handler writes with these `deps` holds only if the row still has that number,
 * judged in the same transaction. Source: Network API reference, "If-Match support" (extension `revision-if-match`).
 * @throws CloudError `badRequest` for another kind of condition
 */
export function preconditioned(
  deps: Deps,
  request: FastifyRequest,
  chapter: { find(db: Db, id: string): Promise<object | undefined>; notFound(id: string): CloudError },
  id: string,
): Deps {
  const header = request.headers['if-match']
  if (header === undefined) return deps
  const [, number] = /^\s*revision_number\s*=\s*(\d{1,15})\s*$/.exec(header) ?? []
  if (number === undefined) throw malformed(`Unsupported If-Match criterion: ${header}`)
  const { database } = deps
  return {
    ...deps,
    database: {
      engine: database.engine,
      read: database.read,
      commits: () => database.commits(),
      close: () => database.close(),
      write: (work) =>
        database.write(async (trx) => {
          const row = await chapter.find(trx, id)
          if (!row) throw chapter.notFound(id)
          if (!('revision_number' in row) || Number(row.revision_number) !== Number(number)) {
            throw revisionConflict(Number(number))
          }
          return await work(trx)
        }),
    },
  }
}
