import type { Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as meterRows from '../db/metering.ts'
import { type Accepted, flagColumn, ownerAttributes, type Resource, textColumn } from './attributes.ts'
import { type Deps, loops } from './deps.ts'
import { badRequest, conflict, missing } from './errors.ts'
import { flag } from './flags.ts'
import { overlapping } from './prefixes.ts'
import * as is from './values.ts'

/** Source: Network API reference, "Metering labels and rules". */
export const meteringLabel: Resource = {
  singular: 'metering_label',
  plural: 'metering_labels',
  attributes: {
    id: { column: textColumn('id') },
    name: { post: true, default: '', parse: is.text(255), column: textColumn('name') },
    description: { post: true, default: '', parse: is.text(1024), column: textColumn('description') },
    ...ownerAttributes,
    shared: { post: true, default: false, parse: is.boolean, column: flagColumn('shared') },
  },
}

const prefix = { post: true, default: null, parse: is.orNull(is.cidr) }

export const meteringRule: Resource = {
  singular: 'metering_label_rule',
  plural: 'metering_label_rules',
  attributes: {
    id: { column: textColumn('id') },
    ...ownerAttributes,
    metering_label_id: { post: true, required: true, parse: is.uuid, column: textColumn('label_id') },
    direction: {
      post: true,
      default: 'ingress',
      parse: is.oneOf('ingress', 'egress'),
      column: textColumn('direction'),
    },
    excluded: { post: true, default: false, parse: is.boolean, column: flagColumn('excluded') },
    remote_ip_prefix: { ...prefix, column: textColumn('remote_ip_prefix') },
    source_ip_prefix: { ...prefix, column: textColumn('source_ip_prefix') },
    destination_ip_prefix: { ...prefix, column: textColumn('destination_ip_prefix') },
  },
}

export interface NewLabel {
  project_id: string
  name: string
  description: string
  shared: boolean
}
export interface NewMeteringRule {
  project_id: string
  metering_label_id: string
  direction: 'ingress' | 'egress'
  excluded: boolean
  remote_ip_prefix: string | null
  source_ip_prefix: string | null
  destination_ip_prefix: string | null
}

export const labelNotFound = (id: string) => missing('MeteringLabelNotFound', `Metering label ${id} does not exist`)
export const meteringRuleNotFound = (id: string) =>
  missing('MeteringLabelRuleNotFound', `Metering label rule ${id} does not exist`)

export async function create(deps: Deps, items: readonly Accepted<NewLabel>[]): Promise<meterRows.LabelRow[]> {
  return await deps.database.write(async (trx) => {
    const made: meterRows.LabelRow[] = []
    for (const { values } of items) {
      const now = deps.clock.now()
      const counted = { packets: 0, bytes: 0, created_at: now, updated_at: now, revision_number: 0 }
      const row = { id: newId(), ...values, shared: flag(values.shared), ...counted }
      await meterRows.insert(trx, row)
      made.push(row)
    }
    return made
  })
}

/** Its rules and what was counted go with it. */
export async function remove(deps: Deps, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    const label = await get(trx, id)
    await meterRows.remove(trx, id)
    await meterRows.touchRouters(trx, label)
  })
  deps.nudge(loops.routers)
}

/** @throws CloudError `badRequest`, and `conflict` (MeteringLabelRuleOverlaps) */
export async function createRules(
  deps: Deps,
  items: readonly Accepted<NewMeteringRule>[],
): Promise<meterRows.MeteringRuleRow[]> {
  const rows = await deps.database.write(async (trx) => {
    const made: meterRows.MeteringRuleRow[] = []
    for (const { values } of items) {
      const { metering_label_id: label_id, excluded, ...rest } = values
      const label = await get(trx, label_id)
      refusePrefixes(values)
      const row = { id: newId(), ...rest, label_id, excluded: flag(excluded) }
      const twin = (await meterRows.rulesOf(trx, [label_id])).find((other) => alike(row, other))
      if (twin) {
        throw conflict(
          'MeteringLabelRuleOverlaps',
          `Metering label rule with remote_ip_prefix ${row.remote_ip_prefix} overlaps another: ${twin.id}`,
        )
      }
      await meterRows.insertRule(trx, row)
      await meterRows.touchRouters(trx, label)
      made.push(row)
    }
    return made
  })
  deps.nudge(loops.routers)
  return rows
}

function refusePrefixes(rule: NewMeteringRule): void {
  const { remote_ip_prefix: remote, source_ip_prefix: source, destination_ip_prefix: destination } = rule
  const families = new Set([remote, source, destination].flatMap((one) => (one === null ? [] : [one.includes(':')])))
  if (families.size === 0) {
    throw badRequest('HTTPBadRequest', 'At least one of remote, source and destination IP prefix must be given.')
  }
  if (families.size > 1) throw badRequest('HTTPBadRequest', 'The prefixes of a rule are of one IP version.')
  if (remote !== null && (source !== null || destination !== null)) {
    throw badRequest('HTTPBadRequest', 'remote_ip_prefix goes with neither source_ip_prefix nor destination_ip_prefix.')
  }
}

type Words = Pick<
  meterRows.MeteringRuleRow,
  'direction' | 'excluded' | 'remote_ip_prefix' | 'source_ip_prefix' | 'destination_ip_prefix'
>

/** What is counted is counted once. */
const alike = (a: Words, b: Words): boolean =>
  a.direction === b.direction &&
  a.excluded === b.excluded &&
  (['remote_ip_prefix', 'source_ip_prefix', 'destination_ip_prefix'] as const).every((name) => {
    const [one, other] = [a[name], b[name]]
    return one === null || other === null ? one === other : overlapping(one, other)
  })

export async function removeRule(deps: Deps, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    const rule = await meterRows.findRule(trx, id)
    if (!rule) throw meteringRuleNotFound(id)
    await meterRows.removeRule(trx, id)
    await meterRows.touchRouters(trx, await get(trx, rule.label_id))
  })
  deps.nudge(loops.routers)
}

async function get(trx: Trx, id: string): Promise<meterRows.LabelRow> {
  const row = await meterRows.find(trx, id)
  if (!row) throw labelNotFound(id)
  return row
}
