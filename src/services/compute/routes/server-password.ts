import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import * as guestRows from '../db/guest-data.ts'
import type { Deps } from '../logic/deps.ts'
import { findServer } from './find-server.ts'

/** What a server told the metadata service, encrypted for its key pair. Source: Compute API reference, "Servers password". */
export function serverPasswordRoutes(app: App, deps: Deps): void {
  const { database } = deps.ground
  const rule = (name: string) => ({ policy: `os_compute_api:os-server-password:${name}`, check: 'handler' as const })
  const schema = { params: Type.Object({ id: Type.String() }) }

  app.get('/servers/:id/os-server-password', { config: rule('show'), schema }, async (request) => {
    const { id } = await findServer(deps, request, request.params.id)
    return { password: (await guestRows.get(database.read, id)).password ?? '' }
  })

  app.delete('/servers/:id/os-server-password', { config: rule('clear'), schema }, async (request, reply) => {
    const { id } = await findServer(deps, request, request.params.id)
    await database.write((trx) => guestRows.change(trx, id, { password: null }))
    return reply.code(204).send()
  })
}
