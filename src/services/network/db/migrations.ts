import type { ServiceMigrations } from '../../../platform/service.ts'
import { start } from './migrations/001-start.ts'
import { routers } from './migrations/002-routers.ts'
import { quotas } from './migrations/003-quotas.ts'
import { sharing } from './migrations/004-sharing.ts'
import { moreResources } from './migrations/005-more-resources.ts'
import { metering } from './migrations/006-metering.ts'

export const networkMigrations: ServiceMigrations = {
  service: 'network',
  migrations: [start, routers, quotas, sharing, moreResources, metering],
}
