import type { Db } from '../../../platform/db/database.ts'
import type { Server } from '../db/servers.ts'
import * as usageRows from '../db/tenant-usage.ts'

export interface ServerUsage {
  server: Server
  hours: number
  uptimeSeconds: number
}

/** What each project's servers were there for in a period, by project. Times in milliseconds since 1970. */
export async function usages(
  db: Db,
  period: { from: string; fromMs: number; to: string; toMs: number; nowMs: number },
  projectId: string | null,
  page: { limit: number; marker: string | null },
): Promise<{ byProject: Map<string, ServerUsage[]>; lastServerId: string | null }> {
  const servers = await usageRows.list(db, { ...period, projectId, ...page })
  const used = servers.map((server) => {
    const start = Date.parse(server.launchedAt ?? server.createdAt)
    const end = server.deletedAt === null ? null : Date.parse(server.deletedAt)
    const ms = Math.min(period.toMs, end ?? period.toMs) - Math.max(period.fromMs, start)
    return {
      ...{ server, hours: Math.max(0, ms) / 3_600_000 },
      uptimeSeconds: Math.max(0, Math.floor(((end ?? period.nowMs) - start) / 1000)),
    }
  })
  return {
    byProject: Map.groupBy(used, ({ server }) => server.projectId),
    lastServerId: servers.at(-1)?.id ?? null,
  }
}
