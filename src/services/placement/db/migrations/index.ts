import type { Migration } from '../../../../platform/db/database.ts'
import { claims } from './001-claims.ts'
import { api } from './002-api.ts'

export const migrations: readonly Migration[] = [claims, api]
