import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import { check } from '../../../platform/http/validation.ts'
import { evacuate } from '../logic/evacuate.ts'
import { migrateLive } from '../logic/live-migration.ts'
import { migrate } from '../logic/moves.ts'
import { type ActionHandlers, does, strict } from './action-handler.ts'
import { Boolish, isTrue, since, versioned } from './common.ts'
import { newPassword } from './new-server.ts'

const Host = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-._]*$' })
const HostOrNull = Type.Union([Host, Type.Null()])

const migrated = versioned(['2.1', '2.56'], (at) =>
  at('2.56') ? Type.Union([Type.Null(), Type.Object({ host: Type.Optional(HostOrNull) }, strict)]) : Type.Unknown(),
)

const live = versioned(['2.1', '2.25', '2.30', '2.68'], (at) =>
  Type.Object(
    {
      host: HostOrNull,
      block_migration: at('2.25') ? Type.Union([Boolish, Type.Literal('auto')]) : Boolish,
      ...(at('2.25') ? {} : { disk_over_commit: Boolish }),
      ...(at('2.30') && !at('2.68') ? { force: Type.Optional(Boolish) } : {}),
    },
    strict,
  ),
)

const evacuated = versioned(['2.1', '2.14', '2.29', '2.68'], (at) =>
  Type.Object(
    {
      host: Type.Optional(Host),
      adminPass: Type.Optional(Type.String()),
      ...(at('2.14') ? {} : { onSharedStorage: Boolish }),
      ...(at('2.29') && !at('2.68') ? { force: Type.Optional(Boolish) } : {}),
    },
    strict,
  ),
)

interface Evacuated {
  host?: string
  adminPass?: string
  onSharedStorage?: unknown
  force?: unknown
}

/** @throws CloudError `badRequest` */
function checkForce({ host, force }: { host?: string | null; force?: unknown }): void {
  if (isTrue(force) && !host) throw new CloudError('badRequest', "Can't force to a non-provided destination")
}

/** Source: Compute API reference, "Servers - run an administrative action": migrate, live-migrate, evacuate. */
export const moveActions: ActionHandlers = {
  migrate: does('os-migrate-server:migrate', async (deps, request, server, value) => {
    const body = check<{ host?: string | null } | null>(migrated(request.microversion), value)
    await migrate(deps, request.ctx, server.id, (since(request, '2.56') && body?.host) || null)
  }),

  'os-migrateLive': does('os-migrate-server:migrate_live', async (deps, request, server, value) => {
    const body = check<{ host: string | null; force?: unknown }>(live(request.microversion), value)
    checkForce(body)
    await migrateLive(deps, request.ctx, server.id, { host: body.host, late: since(request, '2.34') })
  }),

  evacuate: does(
    'os-evacuate',
    async (deps, request, server, value) => {
      const {
        host = null,
        adminPass,
        onSharedStorage,
        force,
      } = check<Evacuated>(evacuated(request.microversion), value)
      checkForce({ host, force })
      if (isTrue(onSharedStorage)) {
        const why = adminPass
          ? "admin password can't be changed on existing disk"
          : 'Servers here have their files on their own host only; evacuate without onSharedStorage.'
        throw new CloudError('badRequest', why)
      }
      await evacuate(deps, request.ctx, server.id, host)
      return since(request, '2.14') ? undefined : { adminPass: adminPass ?? newPassword() }
    },
    { status: 200 },
  ),
}
