import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as serviceRows from '../db/services.ts'
import type { Deps } from '../logic/deps.ts'

/**
 * Which hosts have sent their usage audit of the last whole month. None has: usage is counted from the servers
 * themselves, as with upstream's `instance_usage_audit` off, its default.
 * Source: Compute API reference, "Server usage audit log (os-instance-usage-audit-log)".
 */
export function usageAuditLogRoutes(app: App, deps: Deps): void {
  const rule = (name: string) => ({ policy: `os_compute_api:os-instance-usage-audit-log:${name}` })
  const { database, clock } = deps.ground

  async function log(before: Date) {
    const hosts = (await serviceRows.list(database.read)).map(({ host }) => host)
    const [year, month] = [before.getUTCFullYear(), before.getUTCMonth()]
    return {
      period_beginning: text(Date.UTC(year, month - 1)),
      period_ending: text(Date.UTC(year, month)),
      ...{ num_hosts: hosts.length, num_hosts_done: 0, num_hosts_running: 0, num_hosts_not_run: hosts.length },
      ...{ hosts_not_run: hosts, total_instances: 0, total_errors: 0, log: {} },
      overall_status: `${hosts.length === 0 ? 'ALL' : `0 of ${hosts.length}`} hosts done. 0 errors.`,
    }
  }

  app.get('/os-instance_usage_audit_log', { config: rule('list') }, async () => ({
    instance_usage_audit_logs: await log(new Date(clock.nowMs())),
  }))

  app.get(
    '/os-instance_usage_audit_log/:before',
    { config: rule('show'), schema: { params: Type.Object({ before: Type.String() }) } },
    async ({ params: { before } }) => {
      const given = /^(\d{4}-\d\d?-\d\d?) (\d\d?:\d\d?:\d\d?(\.\d{1,6})?)$/.exec(before)
      const date = new Date(given ? `${given[1]} ${given[2]}Z` : Number.NaN)
      if (Number.isNaN(date.getTime())) throw new CloudError('badRequest', `Invalid timestamp for date ${before}`)
      return { instance_usage_audit_log: await log(date) }
    },
  )
}

/** `2026-11-01 00:00:00` */
const text = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
