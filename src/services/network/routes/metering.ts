import type { App } from '../../../platform/http/app.ts'
import * as meterRows from '../db/metering.ts'
import type { Deps } from '../logic/deps.ts'
import * as metering from '../logic/metering.ts'
import { crud } from './crud.ts'

/** Source: Network API reference, "Metering labels and rules". */
export function meteringRoutes(app: App, deps: Deps): void {
  crud<meterRows.LabelRow, metering.NewLabel, never>(app, deps, {
    resource: metering.meteringLabel,
    path: '/v2.0/metering/metering-labels',
    list: meterRows.list,
    find: meterRows.find,
    notFound: metering.labelNotFound,
    views: async (rows) =>
      rows.map((row) => ({
        id: row.id,
        name: row.name,
        description: row.description,
        tenant_id: row.project_id,
        shared: row.shared === 1,
        project_id: row.project_id,
      })),
    create: (deps, _request, items) => metering.create(deps, items),
    remove: (deps, _request, id) => metering.remove(deps, id),
  })
  crud<meterRows.MeteringRuleRow, metering.NewMeteringRule, never>(app, deps, {
    resource: metering.meteringRule,
    path: '/v2.0/metering/metering-label-rules',
    list: meterRows.listRules,
    find: meterRows.findRule,
    notFound: metering.meteringRuleNotFound,
    views: async (rows) =>
      rows.map((row) => ({
        id: row.id,
        metering_label_id: row.label_id,
        direction: row.direction,
        excluded: row.excluded === 1,
        remote_ip_prefix: row.remote_ip_prefix,
        source_ip_prefix: row.source_ip_prefix,
        destination_ip_prefix: row.destination_ip_prefix,
        tenant_id: row.project_id,
        project_id: row.project_id,
      })),
    create: (deps, _request, items) => metering.createRules(deps, items),
    remove: (deps, _request, id) => metering.removeRule(deps, id),
  })
}
