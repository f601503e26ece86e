import type { Clock } from '../../../platform/clock.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as addressGroupRows from '../db/address-groups.ts'
import * as groupRows from '../db/security-groups.ts'
import { type Caller, mayUse } from './access.ts'
import { addressGroupNotFound } from './address-groups.ts'
import { formatCidr, parseCidr } from './addresses.ts'
import type { Accepted } from './attributes.ts'
import { type Deps, loops } from './deps.ts'
import { badRequest, conflict, groupNotFound, ruleNotFound } from './errors.ts'
import { claimAll } from './quotas.ts'
import { isIcmp, isIpv6Only, protocolNumbers, withPorts } from './rule-values.ts'
import { changed } from './security-groups.ts'

export interface NewRule {
  project_id: string
  security_group_id: string
  direction: 'ingress' | 'egress'
  ethertype: 'IPv4' | 'IPv6'
  protocol: string | null
  port_range_min: number | null
  port_range_max: number | null
  remote_ip_prefix: string | null
  remote_group_id: string | null
  remote_address_group_id: string | null
  description: string
}

type Rule = Pick<NewRule, 'direction' | 'ethertype'> & Partial<NewRule>

/** A row of the group, as yet unchecked. */
export function ruleRow(
  group: { id: string; project_id: string },
  clock: Clock,
  { protocol = null, port_range_min = null, port_range_max = null, ...rest }: Rule,
): groupRows.RuleRow {
  const { direction, ethertype, remote_ip_prefix = null, remote_group_id = null, description = '' } = rest
  const { remote_address_group_id = null } = rest
  const now = clock.now()
  const meaning = { direction, ethertype, protocol, port_range_min, port_range_max, remote_group_id }
  return {
    id: newId(),
    group_id: group.id,
    project_id: rest.project_id ?? group.project_id,
    ...meaning,
    remote_ip_prefix,
    remote_address_group_id,
    description,
    // Two spellings of one thing are one rule.
    fingerprint: JSON.stringify([
      ...[direction, ethertype, protocol && numberOf(protocol), port_range_min, port_range_max],
      ...[normalizedCidr(remote_ip_prefix), remote_group_id],
      // Not in the fingerprints of before there were address groups.
      ...(remote_address_group_id === null ? [] : [remote_address_group_id]),
    ]),
    created_at: now,
    updated_at: now,
    revision_number: 0,
  }
}

/** `10.0.0.7/24` → `10.0.0.0/24`. Source: extension `security-groups-normalized-cidr`. */
export function normalizedCidr(prefix: string | null): string | null {
  const cidr = prefix === null ? null : parseCidr(prefix)
  return cidr && formatCidr(cidr)
}

const numberOf = (protocol: string): number => protocolNumbers[protocol] ?? Number(protocol)

/**
 * All rules of the request or none.
 * @throws CloudError `badRequest` for what makes no sense, `conflict` for a rule that is there already
 */
export async function create(
  deps: Deps,
  caller: Caller,
  items: readonly Accepted<NewRule>[],
): Promise<groupRows.RuleRow[]> {
  for (const { values } of items) refuseNonsense(values)
  const rows = await deps.database.write(async (trx) => {
    await claimAll(trx, deps, 'security_group_rule', items)
    const made: groupRows.RuleRow[] = []
    for (const { values } of items) {
      const group = await groupRows.find(trx, values.security_group_id)
      if (!group) throw groupNotFound(values.security_group_id)
      if (values.remote_group_id !== null && !(await groupRows.find(trx, values.remote_group_id))) {
        throw groupNotFound(values.remote_group_id)
      }
      if (values.remote_address_group_id !== null) await refuseAddressGroup(trx, caller, values)
      // Whoever wrote it, it is the group's owner who lists it, and is charged for it.
      const row = ruleRow(group, deps.clock, { ...values, project_id: group.project_id })
      if (!(await groupRows.insertRule(trx, row))) {
        const same = await groupRows.ruleLike(trx, group.id, row.fingerprint)
        throw conflict('SecurityGroupRuleExists', `Security group rule already exists. Rule id is ${same?.id}.`)
      }
      await changed(trx, [group.id, ...(values.remote_group_id ? [values.remote_group_id] : [])])
      await groupRows.update(trx, group.id, { updated_at: deps.clock.now() })
      made.push(row)
    }
    return made
  })
  deps.nudge(loops.groups)
  return rows
}

/** @throws CloudError `notFound` for one that is not the caller's to use */
async function refuseAddressGroup(trx: Trx, caller: Caller, { remote_address_group_id }: NewRule): Promise<void> {
  const id = remote_address_group_id ?? ''
  const group = await addressGroupRows.find(trx, id)
  if (!group || !(await mayUse(trx, caller, group))) throw addressGroupNotFound(id)
}

function refuseNonsense(rule: NewRule): void {
  const remotes = [rule.remote_ip_prefix, rule.remote_group_id, rule.remote_address_group_id]
  if (remotes.filter((remote) => remote !== null).length > 1) {
    throw badRequest(
      rule.remote_address_group_id === null
        ? 'SecurityGroupRemoteGroupAndRemoteIpPrefix'
        : 'SecurityGroupMultipleRemoteEntites',
      rule.remote_address_group_id === null
        ? 'Only remote_ip_prefix or remote_group_id may be provided.'
        : 'Only one of remote_ip_prefix, remote_group_id and remote_address_group_id may be provided.',
    )
  }
  const { ethertype, protocol, remote_ip_prefix: prefix } = rule
  if (protocol !== null && ethertype === 'IPv4' && isIpv6Only(protocol)) {
    throw badRequest(
      'SecurityGroupEthertypeConflictWithProtocol',
      `Invalid ethertype ${ethertype} for protocol ${protocol}.`,
    )
  }
  if (prefix !== null && `IPv${parseCidr(prefix)?.version}` !== ethertype) {
    throw badRequest(
      'SecurityGroupRuleParameterConflict',
      `Conflicting value ethertype ${ethertype} for CIDR ${prefix}`,
    )
  }
  refusePorts(rule)
}

function refusePorts({ protocol, port_range_min: min, port_range_max: max }: NewRule): void {
  if (min === null && max === null) return
  if (protocol === null) {
    throw badRequest('SecurityGroupProtocolRequiredWithPorts', 'Must also specify protocol if port range is given.')
  }
  if (isIcmp(protocol)) {
    for (const [field, name, value] of [
      ['port_range_min', 'type', min],
      ['port_range_max', 'code', max],
    ] as const) {
      if (value !== null && value > 255) {
        throw badRequest(
          'SecurityGroupInvalidIcmpValue',
          `Invalid value for ICMP ${name} (${field}) ${value}. It must be 0 to 255.`,
        )
      }
    }
    if (min === null) {
      throw badRequest(
        'SecurityGroupMissingIcmpType',
        `ICMP code (port-range-max) ${max} is provided but ICMP type (port-range-min) is missing.`,
      )
    }
    return
  }
  if (!withPorts.has(numberOf(protocol))) {
    throw badRequest(
      'SecurityGroupInvalidProtocolForPort',
      `Invalid protocol ${protocol} for port range, only supported for TCP, UDP, UDPLITE, SCTP and DCCP.`,
    )
  }
  if (min === null || max === null || min > max) {
    throw badRequest('SecurityGroupInvalidPortRange', 'For TCP/UDP protocols, port_range_min must be <= port_range_max')
  }
  if (min === 0 || max === 0) {
    throw badRequest('SecurityGroupInvalidPortValue', 'Invalid value for port 0')
  }
}

export async function remove(deps: Deps, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    const rule = await get(trx, id)
    await groupRows.removeRule(trx, id)
    await groupRows.update(trx, rule.group_id, { updated_at: deps.clock.now() })
    await changed(trx, [rule.group_id, ...(rule.remote_group_id ? [rule.remote_group_id] : [])])
  })
  deps.nudge(loops.groups)
}

/** @throws CloudError `notFound` */
export async function get(db: Db, id: string): Promise<groupRows.RuleRow> {
  const rule = await groupRows.findRule(db, id)
  if (!rule) throw ruleNotFound(id)
  return rule
}
