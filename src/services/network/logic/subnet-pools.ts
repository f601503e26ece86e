import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as scopeRows from '../db/address-scopes.ts'
import { removeOf } from '../db/rbac.ts'
import * as poolRows from '../db/subnet-pools.ts'
import { type Caller, mayUse } from './access.ts'
import { addressScopeNotFound } from './address-scopes.ts'
import { bitsOf, type IpVersion, parseCidr } from './addresses.ts'
import type { Accepted } from './attributes.ts'
import type { Deps } from './deps.ts'
import { badRequest, conflict, invalidInput, missing } from './errors.ts'
import { flag } from './flags.ts'
import { anyOverlap, compacted, covers, without } from './prefixes.ts'
import { claimAll } from './quotas.ts'
import { setShared } from './sharing.ts'

export interface NewSubnetPool {
  project_id: string
  name: string
  description: string
  prefixes: string[]
  default_quota?: number | null
  default_prefixlen?: number
  min_prefixlen?: number
  max_prefixlen?: number
  is_default: boolean
  shared: boolean
  address_scope_id: string | null
}
export type SubnetPoolChanges = Partial<Omit<NewSubnetPool, 'project_id' | 'shared'>>

export const subnetPoolNotFound = (id: string) => missing('SubnetPoolNotFound', `Subnet pool ${id} could not be found.`)

export async function create(
  deps: Deps,
  caller: Caller,
  items: readonly Accepted<NewSubnetPool>[],
): Promise<poolRows.SubnetPoolRow[]> {
  return await deps.database.write(async (trx) => {
    await claimAll(trx, deps, 'subnetpool', items)
    const made: poolRows.SubnetPoolRow[] = []
    for (const { values } of items) {
      const row = newRow(values, deps.clock.now())
      await refuseDefault(trx, row)
      await refuseScope(trx, caller, row)
      await poolRows.insert(trx, row)
      if (values.shared) await setShared(trx, 'subnetpool', row, true)
      made.push(row)
    }
    return made
  })
}

/** As yet unwritten. @throws CloudError `badRequest` */
export function newRow(wanted: NewSubnetPool, now: string): poolRows.SubnetPoolRow {
  const ip_version = versionOf(wanted.prefixes)
  const min = wanted.min_prefixlen ?? (ip_version === 4 ? 8 : 64)
  const row: poolRows.SubnetPoolRow = {
    id: newId(),
    project_id: wanted.project_id,
    name: wanted.name,
    description: wanted.description,
    tags: '',
    ip_version,
    prefixes: JSON.stringify(compacted(wanted.prefixes)),
    min_prefixlen: min,
    max_prefixlen: wanted.max_prefixlen ?? bitsOf(ip_version),
    default_prefixlen: wanted.default_prefixlen ?? min,
    default_quota: wanted.default_quota ?? null,
    is_default: flag(wanted.is_default),
    address_scope_id: wanted.address_scope_id,
    created_at: now,
    updated_at: now,
    revision_number: 0,
  }
  refuseLengths(row)
  return row
}

function versionOf(prefixes: readonly string[]): IpVersion {
  const versions = new Set(prefixes.map((prefix) => parseCidr(prefix)!.version))
  const [first] = versions
  if (first === undefined) throw badRequest('EmptySubnetPoolPrefixList', 'Empty subnet pool prefix list.')
  if (versions.size > 1)
    throw badRequest('PrefixVersionMismatch', 'Cannot mix IPv4 and IPv6 prefixes in a subnet pool.')
  return first
}

function refuseLengths(row: poolRows.SubnetPoolRow): void {
  const { min_prefixlen: min, max_prefixlen: max, default_prefixlen: usual } = row
  const bounds: [string, number, string, number][] = [
    ['max_prefixlen', max, 'min_prefixlen', min],
    ['default_prefixlen', usual, 'min_prefixlen', min],
    ['max_prefixlen', max, 'default_prefixlen', usual],
    [`IPv${row.ip_version}`, bitsOf(row.ip_version), 'max_prefixlen', max],
  ]
  for (const [high, highValue, low, lowValue] of bounds) {
    if (lowValue <= highValue) continue
    throw badRequest(
      'IllegalSubnetPoolPrefixBounds',
      `Illegal prefix bounds: ${low}=${lowValue}, ${high}=${highValue}.`,
    )
  }
}

async function refuseDefault(trx: Trx, row: poolRows.SubnetPoolRow): Promise<void> {
  if (row.is_default === 0) return
  const other = await poolRows.defaultOf(trx, row.ip_version)
  if (!other || other.id === row.id) return
  throw invalidInput(
    'A default subnetpool for this IP family has already been set. Only one default may exist per IP family',
  )
}

/** What its address scope, if it has one, demands of a pool. @throws CloudError */
async function refuseScope(trx: Trx, caller: Caller, row: poolRows.SubnetPoolRow): Promise<void> {
  if (row.address_scope_id === null) return
  const scope = await scopeRows.find(trx, row.address_scope_id)
  if (!scope || !(await mayUse(trx, caller, scope))) throw addressScopeNotFound(row.address_scope_id)
  if (scope.ip_version !== row.ip_version) {
    throw badRequest(
      'IllegalSubnetPoolIpVersionAssociationToAddressScope',
      `Illegal subnetpool association: subnetpool ${row.id} cannot associate with address scope ${scope.id} because ` +
        `subnetpool ip_version is not ${scope.ip_version}.`,
    )
  }
  const prefixes = JSON.parse(row.prefixes) as string[]
  for (const other of await poolRows.ofScope(trx, scope.id)) {
    if (other.id === row.id || !anyOverlap(prefixes, JSON.parse(other.prefixes) as string[])) continue
    throw conflict(
      'AddressScopePrefixConflict',
      `Failed to associate address scope: subnetpools within an address scope must have unique prefixes.`,
    )
  }
}

export async function update(
  deps: Deps,
  caller: Caller,
  id: string,
  changes: SubnetPoolChanges,
): Promise<poolRows.SubnetPoolRow> {
  return await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    const { prefixes, is_default, ...plain } = changes
    const row = {
      ...before,
      ...plain,
      ...(prefixes && { prefixes: grown(before, prefixes) }),
      ...(is_default !== undefined && { is_default: flag(is_default) }),
    }
    refuseLengths(row)
    await refuseDefault(trx, row)
    if (prefixes || changes.address_scope_id !== undefined) {
      if (changes.address_scope_id === undefined) await refuseForeignScope(trx, caller, before)
      await refuseScope(trx, caller, row)
    }
    const { id: _id, revision_number: _revision, ...values } = row
    await poolRows.update(trx, id, { ...values, updated_at: deps.clock.now() })
    return await get(trx, id)
  })
}

/** Prefixes may be added and widened; to take some away has its own call. @throws CloudError `badRequest` */
function grown(before: poolRows.SubnetPoolRow, prefixes: readonly string[]): string {
  if (versionOf(prefixes) !== before.ip_version) {
    throw badRequest('PrefixVersionMismatch', 'Cannot mix IPv4 and IPv6 prefixes in a subnet pool.')
  }
  const lost = (JSON.parse(before.prefixes) as string[]).filter((old) => !covers(prefixes, old))
  if (lost.length > 0) {
    throw badRequest(
      'IllegalSubnetPoolPrefixUpdate',
      'Illegal update to prefixes: one or more prefixes are missing in the update of the subnet pool.',
    )
  }
  return JSON.stringify(compacted(prefixes))
}

/** The addresses of a scope are its owner's to plan. */
async function refuseForeignScope(trx: Trx, caller: Caller, row: poolRows.SubnetPoolRow): Promise<void> {
  if (caller.isAdmin || row.address_scope_id === null) return
  const scope = await scopeRows.find(trx, row.address_scope_id)
  if (scope?.project_id === caller.projectId) return
  throw badRequest(
    'IllegalSubnetPoolUpdate',
    `Illegal subnetpool update: subnetpool ${row.id} is associated with an address scope of another project.`,
  )
}

/** Source: Network API reference, "Add prefixes" (extension `subnetpool-prefix-ops`). */
export async function addPrefixes(
  deps: Deps,
  caller: Caller,
  id: string,
  more: readonly string[],
): Promise<poolRows.SubnetPoolRow> {
  return await changePrefixes(deps, caller, id, (old) => [...old, ...more])
}

/** @throws CloudError `badRequest` (IllegalSubnetPoolPrefixUpdate) while a subnet stands on them */
export async function removePrefixes(
  deps: Deps,
  caller: Caller,
  id: string,
  less: readonly string[],
): Promise<poolRows.SubnetPoolRow> {
  return await changePrefixes(deps, caller, id, (old) => without(old, less))
}

async function changePrefixes(
  deps: Deps,
  caller: Caller,
  id: string,
  change: (old: string[]) => string[],
): Promise<poolRows.SubnetPoolRow> {
  return await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    const next = change(JSON.parse(before.prefixes) as string[])
    if (next.length > 0 && versionOf(next) !== before.ip_version) {
      throw badRequest('PrefixVersionMismatch', 'Cannot mix IPv4 and IPv6 prefixes in a subnet pool.')
    }
    const stranded = (await poolRows.subnetsOf(trx, id)).filter((subnet) => !covers(next, subnet.cidr))
    if (stranded.length > 0) {
      throw badRequest(
        'IllegalSubnetPoolPrefixUpdate',
        `Illegal update to prefixes: subnets are allocated from them (${stranded.map((s) => s.cidr).join(', ')}).`,
      )
    }
    const row = { ...before, prefixes: JSON.stringify(compacted(next)) }
    await refuseForeignScope(trx, caller, before)
    await refuseScope(trx, { ...caller, isAdmin: true }, row)
    await poolRows.update(trx, id, { prefixes: row.prefixes, updated_at: deps.clock.now() })
    return await get(trx, id)
  })
}

/** @throws CloudError `conflict` (SubnetPoolDeleteError) while subnets are from it */
export async function remove(deps: Deps, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    await get(trx, id)
    if ((await poolRows.subnetsOf(trx, id)).length > 0) {
      throw conflict('SubnetPoolDeleteError', 'Unable to delete subnet pool: Subnet pool has existing allocations.')
    }
    await removeOf(trx, id)
    await poolRows.remove(trx, id)
  })
}

/** @throws CloudError `notFound` */
export async function get(db: Db | Trx, id: string): Promise<poolRows.SubnetPoolRow> {
  const row = await poolRows.find(db, id)
  if (!row) throw subnetPoolNotFound(id)
  return row
}
