import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import * as migrationRows from '../db/migrations.ts'
import type { Deps } from '../logic/deps.ts'
import { last, paging, queryOf, since } from './common.ts'
import { findServer } from './find-server.ts'

const naive = (iso: string): string => iso.replace('Z', '')

/** Resizes are all the migrations there are: in place, so both hosts are the one. Source: Compute API reference, "Migrations". */
export function migrationRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database

  app.get('/os-migrations', { config: { policy: 'os_compute_api:os-migrations:index' } }, async (request) => {
    const query = queryOf(request)
    const asked = {
      serverId: last(query, 'instance_uuid'),
      host: last(query, 'host') ?? last(query, 'source_compute'),
      status: last(query, 'status'),
      userId: since(request, '2.80') ? last(query, 'user_id') : undefined,
      projectId: since(request, '2.80') ? last(query, 'project_id') : undefined,
    }
    const wanted = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined))
    const kind = last(query, 'migration_type')
    const { limit } = since(request, '2.59') ? paging(query) : { limit: 1000 }
    const found = kind !== undefined && kind !== 'resize' ? [] : await migrationRows.list(read, wanted, limit)
    return { migrations: found.map((row) => view(request, row)) }
  })

  // Only live migrations under way are listed here, and containers have none.
  app.get(
    '/servers/:id/migrations',
    {
      config: { policy: 'os_compute_api:servers:migrations:index', check: 'handler' },
      schema: { params: Type.Object({ id: Type.String() }) },
    },
    async (request) => {
      await findServer(deps, request, request.params.id)
      return { migrations: [] }
    },
  )
}

const view = (request: FastifyRequest, row: migrationRows.MigrationRow) => ({
  ...{ id: row.id, instance_uuid: row.server_id, status: row.status },
  ...{ source_compute: row.host, source_node: row.host, dest_compute: row.host, dest_node: row.host, dest_host: null },
  ...{ old_instance_type_id: row.old_flavor_number, new_instance_type_id: row.new_flavor_number },
  ...{ created_at: naive(row.created_at), updated_at: naive(row.updated_at) },
  ...(since(request, '2.23') ? { migration_type: 'resize' } : {}),
  ...(since(request, '2.59') ? { uuid: row.uuid } : {}),
  ...(since(request, '2.80') ? { user_id: row.user_id, project_id: row.project_id } : {}),
})
