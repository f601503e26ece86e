import { isoOf } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as projectRows from '../db/projects.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from './deps.ts'

/** Keystone's default. */
const lifetimeMs = 300_000

/** Sealed under this name, so that nothing else that was sealed passes for a receipt. */
const owner = 'auth receipt'

interface Receipt {
  readonly userId: string
  readonly methods: readonly string[]
  readonly issuedAtMs: number
}

/** Enough was right to go on, and not enough for a token: the rest is still to come, with this receipt. */
export class InsufficientMethods extends CloudError {
  readonly receipt: string
  readonly body: object
  constructor(receipt: string, body: object) {
    super('unauthorized', 'Further authentication methods are required.')
    this.receipt = receipt
    this.body = body
  }
}

/** The sets of methods of which a user must give one; none when any single method will do. */
function rulesOf({ options }: userRows.User): string[][] {
  if (options.multi_factor_auth_enabled === false) return []
  const rules = options.multi_factor_auth_rules
  return Array.isArray(rules) ? (rules as string[][]) : []
}

/**
 * Whether what was proved, with what an earlier receipt says, is what the user's rules ask for. @returns all methods.
 * Source: Identity API reference, "Multi-Factor Authentication".
 * @throws InsufficientMethods with a new receipt when more is needed.
 */
export async function checkFactors(
  deps: Deps,
  userId: string,
  proved: readonly string[],
  sealed: string | undefined,
): Promise<string[]> {
  const earlier = sealed === undefined ? [] : open(deps, userId, sealed).methods
  const methods = [...new Set([...earlier, ...proved])]
  const user = await deps.kept.get(`anyone ${userId}`, (db) => userRows.find(db, userId))
  const rules = user ? rulesOf(user) : []
  if (!user || rules.length === 0 || rules.some((rule) => rule.every((method) => methods.includes(method))))
    return methods
  const issuedAtMs = deps.clock.nowMs()
  const receipt: Receipt = { userId, methods, issuedAtMs }
  const domain = await projectRows.find(deps.database.read, user.domainId)
  throw new InsufficientMethods(deps.secretBox.seal(JSON.stringify(receipt), owner), {
    receipt: {
      methods,
      user: { id: user.id, name: user.name, domain: { id: user.domainId, name: domain?.name ?? user.domainId } },
      expires_at: isoOf(issuedAtMs + lifetimeMs),
      issued_at: isoOf(issuedAtMs),
    },
    required_auth_methods: rules,
  })
}

/** A receipt dies of what the user's tokens die of: another password, being switched off. */
function open({ secretBox, clock, revocations }: Deps, userId: string, sealed: string): Receipt {
  const unknown = () => new CloudError('unauthorized', 'Could not find auth receipt.')
  let receipt: Receipt
  try {
    receipt = JSON.parse(secretBox.open(sealed, owner)) as Receipt
  } catch (error) {
    throw new CloudError('unauthorized', 'Could not find auth receipt.', { cause: error })
  }
  const { issuedAtMs, methods } = receipt
  if (receipt.userId !== userId || issuedAtMs + lifetimeMs <= clock.nowMs()) throw unknown()
  const asToken = { userId, userName: '', userDomainId: '', scope: null, roles: [], auditIds: [], expiresAtMs: 0 }
  if (revocations.covers({ ...asToken, methods, issuedAtMs })) throw unknown()
  return receipt
}
