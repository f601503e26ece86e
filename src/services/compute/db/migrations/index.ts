import type { Migration } from '../../../../platform/db/database.ts'
import { servers } from './001-servers.ts'
import { catalog } from './002-catalog.ts'
import { firstFlavors } from './003-first-flavors.ts'
import { aggregates } from './004-aggregates.ts'
import { goals } from './005-goals.ts'
import { serverGroups } from './006-server-groups.ts'
import { serverInterfaces } from './007-server-interfaces.ts'
import { quotas } from './008-quotas.ts'
import { guestData } from './009-guest-data.ts'
import { scheduler } from './010-scheduler.ts'
import { rescueAndMoves } from './011-rescue-and-moves.ts'
import { consoleTokens } from './012-console-tokens.ts'
import { restorable } from './013-restorable.ts'
import { unsettled } from './014-unsettled.ts'
import { reads } from './015-reads.ts'

export const migrations: readonly Migration[] = [
  ...[servers, catalog, firstFlavors, aggregates, goals, serverGroups, serverInterfaces, quotas, guestData],
  scheduler,
  rescueAndMoves,
  consoleTokens,
  restorable,
  ...[unsettled, reads],
]
