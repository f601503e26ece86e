import type { Db } from '../../../platform/db/database.ts'
import { regexp } from '../../../platform/db/regexp.ts'
import * as serverList from '../db/server-list.ts'
import type { Deps } from './deps.ts'

/** Servers whose addresses are asked for at once. */
const batch = 500

/**
 * Servers of a project (null: of all) that have, for each of the regular expressions, an address it finds. Addresses are
 * Network's, so the project's servers are gone through; their number is what its quota lets it have.
 */
export async function serversByAddress(
  deps: Deps,
  db: Db,
  projectId: string | null,
  expressions: readonly { text: string; version: 4 | 6 }[],
): Promise<string[]> {
  const wanted = expressions.map(({ text, version }) => ({ version, finds: regexp(text) }))
  const found: string[] = []
  const ids = await serverList.idsOf(db, projectId)
  for (let from = 0; from < ids.length; from += batch) {
    const ports = await deps.network.serverPorts(db, ids.slice(from, from + batch))
    for (const [id, own] of ports) {
      const addresses = own.flatMap((port) => port.fixedIps)
      const fits = wanted.every(({ version, finds }) =>
        addresses.some((address) => address.version === version && finds(address.ipAddress)),
      )
      if (fits) found.push(id)
    }
  }
  return found
}
