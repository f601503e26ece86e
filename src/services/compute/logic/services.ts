import { CloudError } from '../../../platform/errors.ts'
import * as serverRows from '../db/servers.ts'
import * as serviceRows from '../db/services.ts'
import type { Deps } from './deps.ts'

export interface ServiceChange {
  disabled?: boolean
  disabledReason?: string | null
  forcedDown?: boolean
}

/** A disabled host gets no new servers; one forced down counts as dead, so that its servers can be deleted. */
export async function change(
  { ground: { database, clock } }: Deps,
  service: serviceRows.ComputeServiceRow,
  { disabled, disabledReason, forcedDown }: ServiceChange,
): Promise<serviceRows.ComputeServiceRow> {
  return await database.write(async (trx) => {
    await serviceRows.update(trx, service.id, {
      ...(disabled === undefined ? {} : { disabled: disabled ? 1 : 0, disabled_reason: disabledReason ?? null }),
      ...(forcedDown === undefined ? {} : { forced_down: forcedDown ? 1 : 0 }),
      updated_at: clock.now(),
    })
    return (await serviceRows.findByHost(trx, service.host)) ?? service
  })
}

/** A host that is still there comes back with its next facts. @throws CloudError `conflict` while it has servers */
export async function remove({ ground: { database } }: Deps, service: serviceRows.ComputeServiceRow): Promise<void> {
  await database.write(async (trx) => {
    if ((await serverRows.namesByHost(trx, [service.host])).size > 0) {
      throw new CloudError(
        'conflict',
        'Unable to delete compute service that is hosting instances. Migrate or delete the instances first.',
      )
    }
    await serviceRows.remove(trx, service.id)
  })
}
