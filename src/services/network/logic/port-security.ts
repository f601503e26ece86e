import type { Context } from '../../../platform/auth/context.ts'
import type { Trx } from '../../../platform/db/database.ts'
import * as groupRows from '../db/security-groups.ts'
import { mayUse } from './access.ts'
import type { Deps } from './deps.ts'
import { badRequest, conflict, groupNotFound } from './errors.ts'
import type { NewPort } from './ports.ts'
import { ensureDefault } from './security-groups.ts'

/** What a port may send from, and which groups filter it. */

export interface AddressPair {
  ip_address: string
  mac_address?: string
}

/** Source: Neutron configuration reference, "max_allowed_address_pair". */
const mostPairs = 10

/** The groups asked for, or the project's default one, which network devices do without. */
export async function groupsFor(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  ctx: Pick<Context, 'isAdmin' | 'projectId'>,
  wanted: NewPort,
  security: boolean,
): Promise<string[]> {
  if (wanted.security_groups !== undefined) {
    return await checkedGroups(trx, ctx, wanted.project_id, wanted.security_groups, security)
  }
  if (!security || wanted.device_owner.startsWith('network:')) return []
  return [(await ensureDefault(trx, deps.clock, wanted.project_id)).id]
}

export async function checkedGroups(
  trx: Trx,
  ctx: Pick<Context, 'isAdmin' | 'projectId'>,
  projectId: string,
  asked: readonly string[],
  security: boolean,
): Promise<string[]> {
  const ids = [...new Set(asked)]
  if (ids.length > 0 && !security) {
    throw badRequest(
      'PortSecurityAndIPRequiredForSecurityGroups',
      'Port security must be enabled and port must have an IP address in order to use security groups.',
    )
  }
  const known = await groupRows.byIds(trx, ids)
  for (const id of ids) {
    const group = known.get(id)
    if (!group || !(group.project_id === projectId || (await mayUse(trx, ctx, group)))) throw groupNotFound(id)
  }
  return ids
}

/** Pairs without a MAC address mean the port's own. */
export function completed(pairs: readonly AddressPair[], portMac: string, security: boolean): AddressPair[] {
  if (pairs.length > 0 && !security) {
    throw conflict(
      'AddressPairAndPortSecurityRequired',
      'Port Security must be enabled in order to have allowed address pairs on a port.',
    )
  }
  if (pairs.length > mostPairs) {
    throw badRequest(
      'AllowedAddressPairExhausted',
      `The number of allowed address pair exceeds the maximum ${mostPairs}.`,
    )
  }
  const seen = new Set<string>()
  return pairs.map(({ ip_address, mac_address = portMac }) => {
    const key = `${mac_address} ${ip_address}`
    if (seen.has(key)) {
      throw badRequest(
        'DuplicateAddressPairInRequest',
        `Request contains duplicate address pair: mac_address ${mac_address} ip_address ${ip_address}.`,
      )
    }
    seen.add(key)
    return { ip_address, mac_address }
  })
}
