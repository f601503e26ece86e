import type { ServiceMigrations } from '../../../platform/service.ts'
import { start } from './migrations/001-start.ts'
import { routers } from './migrations/002-routers.ts'

export const networkMigrations: ServiceMigrations = { service: 'network', migrations: [start, routers] }
