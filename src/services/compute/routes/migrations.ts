import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl, withQuery } from '../../../platform/http/links.ts'
import * as migrationRows from '../db/migrations.ts'
import { refuseState } from '../logic/checks.ts'
import type { Deps } from '../logic/deps.ts'
import { last, paging, queryOf, since, timeOf, unpaged } from './common.ts'
import { findServer } from './find-server.ts'

const naive = (iso: string): string => iso.replace('Z', '')

/** Source: Compute API reference, "Migrations (os-migrations)", "Server migrations (servers, migrations)". */
export function migrationRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database

  app.get('/os-migrations', { config: { policy: 'os_compute_api:os-migrations:index' } }, async (request) => {
    const query = queryOf(request)
    const paged = since(request, '2.59')
    const { limit, marker, linked } = paged ? paging(query) : unpaged
    const after = marker === null ? undefined : await migrationRows.byUuid(read, marker)
    if (marker !== null && !after) throw new CloudError('badRequest', `Marker ${marker} could not be found.`)
    const asked = {
      serverId: last(query, 'instance_uuid'),
      host: last(query, 'host'),
      source: last(query, 'source_compute'),
      status: last(query, 'status'),
      type: last(query, 'migration_type'),
      userId: since(request, '2.80') ? last(query, 'user_id') : undefined,
      projectId: since(request, '2.80') ? last(query, 'project_id') : undefined,
      changesSince: paged ? timeOf(query, 'changes-since') : null,
      changesBefore: since(request, '2.66') ? timeOf(query, 'changes-before') : null,
      after,
    }
    if (asked.changesSince && asked.changesBefore && asked.changesBefore < asked.changesSince) {
      throw new CloudError('badRequest', 'The value of changes-since must be less than or equal to changes-before.')
    }
    const given = Object.entries(asked).filter(([, value]) => value !== undefined && value !== null)
    const found = await migrationRows.list(read, Object.fromEntries(given), limit + 1)
    const page = found.slice(0, limit)
    const next = withQuery(request, { marker: page.at(-1)?.uuid ?? null })
    return {
      migrations: page.map((row) => view(request, row)),
      ...(linked && found.length > limit ? { migrations_links: [{ rel: 'next', href: baseUrl(request) + next }] } : {}),
    }
  })

  const config = (rule: string) => ({ policy: `os_compute_api:servers:migrations:${rule}`, check: 'handler' as const })
  const one = { params: Type.Object({ id: Type.String(), migrationId: Type.String() }) }
  const from = (request: FastifyRequest, version: string) => {
    if (!since(request, version)) throw new CloudError('notFound', 'The resource could not be found.')
  }

  // Only live migrations under way are listed here, and containers have none.
  app.get(
    '/servers/:id/migrations',
    { config: config('index'), schema: { params: Type.Object({ id: Type.String() }) } },
    async (request) => {
      from(request, '2.23')
      await findServer(deps, request, request.params.id)
      return { migrations: [] }
    },
  )

  app.get('/servers/:id/migrations/:migrationId', { config: config('show'), schema: one }, async (request) => {
    from(request, '2.23')
    const { id, migrationId } = request.params
    await findServer(deps, request, id)
    const row = /^\d{1,9}$/.test(migrationId) ? await migrationRows.find(read, Number(migrationId)) : undefined
    const ofServer = `for server ${id} is not`
    if (row?.server_id !== id) {
      throw new CloudError('notFound', `In-progress live migration ${migrationId} is not found for server ${id}.`)
    }
    throw new CloudError(
      'notFound',
      row.type === 'live-migration'
        ? `Live migration ${migrationId} ${ofServer} in progress.`
        : `Migration ${migrationId} ${ofServer} live-migration.`,
    )
  })

  /** Nothing is ever under way that could be ended, early or at once. */
  app.delete('/servers/:id/migrations/:migrationId', { config: config('delete'), schema: one }, async (request) => {
    from(request, '2.24')
    const server = await findServer(deps, request, request.params.id)
    refuseState(server, 'abort live migration', 'task_state', String(server.taskState))
  })
  app.post(
    '/servers/:id/migrations/:migrationId/action',
    { config: config('force_complete'), schema: { ...one, body: Type.Object({ force_complete: Type.Null() }) } },
    async (request) => {
      from(request, '2.22')
      const server = await findServer(deps, request, request.params.id)
      if (server.vmState !== 'active') refuseState(server, 'force_complete', 'vm_state', server.vmState)
      const { migrationId } = request.params
      throw new CloudError('badRequest', `Migration ${migrationId} not found for instance ${server.id}`)
    },
  )
}

function view(request: FastifyRequest, row: migrationRows.MigrationRow) {
  // A resize where it is has one host for both.
  const to = row.dest_host ?? (row.type === 'live-migration' ? null : row.host)
  return {
    ...{ id: row.id, instance_uuid: row.server_id, status: row.status },
    ...{ source_compute: row.host, source_node: row.host, dest_compute: to, dest_node: to, dest_host: null },
    ...{ old_instance_type_id: row.old_flavor_number, new_instance_type_id: row.new_flavor_number },
    ...{ created_at: naive(row.created_at), updated_at: naive(row.updated_at) },
    ...(since(request, '2.23') ? { migration_type: row.type } : {}),
    ...(since(request, '2.59') ? { uuid: row.uuid } : {}),
    ...(since(request, '2.80') ? { user_id: row.user_id, project_id: row.project_id } : {}),
  }
}
