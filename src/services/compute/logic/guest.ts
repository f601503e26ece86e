import type { Db } from '../../../platform/db/database.ts'
import * as guestRows from '../db/guest-data.ts'
import * as metadataRows from '../db/server-metadata.ts'
import type { Server } from '../db/servers.ts'
import type { Deps, GuestNic } from './deps.ts'

/** All that a server is told about itself, by the metadata service or on its config drive. */
export interface Guest {
  server: Server
  meta: Readonly<Record<string, string>>
  key: guestRows.GuestKey | null
  files: readonly guestRows.GuestFile[]
  password: string | null
  userData: Buffer | null
  nics: readonly GuestNic[]
  fixedIps: readonly { ipAddress: string; version: 4 | 6 }[]
  floatingIps: readonly string[]
  securityGroups: readonly string[]
  /** What the operator tells every server. */
  vendorData: unknown
}

/** Read anew each time: a look costs less than telling an old truth. */
export async function guestOf(deps: Deps, db: Db, server: Server): Promise<Guest> {
  const [meta, own, nics, ports] = await Promise.all([
    metadataRows.list(db, [server.id]),
    guestRows.get(db, server.id),
    deps.network.guestNics(db, server.id),
    deps.network.serverPorts(db, [server.id]),
  ])
  const plugged = ports.get(server.id) ?? []
  return {
    server,
    meta: meta.get(server.id) ?? {},
    ...own,
    userData: server.userData === null ? null : Buffer.from(server.userData, 'base64'),
    nics,
    fixedIps: plugged.flatMap(({ fixedIps }) => fixedIps),
    floatingIps: plugged.flatMap(({ floatingIps }) => floatingIps.map(({ ipAddress }) => ipAddress)),
    securityGroups: [...new Set(plugged.flatMap(({ securityGroupNames }) => securityGroupNames))],
    vendorData: deps.vendorData,
  }
}
