import type { Revocation } from '../../../platform/auth/revocations.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as revocationRows from '../db/revocations.ts'
import { type Revoked, subjects } from '../messages.ts'
import type { Deps } from './deps.ts'

/** Voids the tokens issued until now that match. */
export type Revoke = (what: Omit<Revocation, 'issuedBeforeMs'>) => void

/**
 * A transaction that takes rights away. The revocations are part of it; when this resolves, this process refuses the
 * tokens, and the others do as soon as they hear of it. A log-in under way while it committed may have read the old
 * state: so the revocations reach up to the moment after the commit, and tokens carry the moment before the reading.
 */
export async function writeRevoking<T>(deps: Deps, work: (trx: Trx, revoke: Revoke) => Promise<T>): Promise<T> {
  const { database, clock, revocations, bus } = deps
  let rows: revocationRows.RevocationRow[] = []
  const result = await database.write(async (trx) => {
    const made: revocationRows.RevocationRow[] = []
    const issuedBeforeMs = clock.nowMs()
    const value = await work(trx, (what) => made.push({ id: newHexId(), revocation: { ...what, issuedBeforeMs } }))
    await revocationRows.insert(trx, made)
    rows = made // of the attempt that succeeds
    return value
  })
  if (rows.length === 0) return result
  const committedAtMs = clock.nowMs()
  const effective = rows.map(({ revocation }) => ({ ...revocation, issuedBeforeMs: committedAtMs }))
  for (const revocation of effective) revocations.add(revocation)
  bus.publish(subjects.revoked, { revocations: effective } satisfies Revoked)
  await database.write((trx) =>
    revocationRows.extend(
      trx,
      rows.map(({ id }) => id),
      committedAtMs,
    ),
  )
  return result
}
