import type { Migration } from '../../../../platform/db/database.ts'
import { countRows } from '../../../../platform/quota/counters.ts'
import { restorableCounters } from '../counters.ts'

/** Servers that are deleted and can be restored count no more. */
export const restorable: Migration = {
  name: '013-restorable',
  async up(db) {
    await countRows(db, restorableCounters)
  },
}
