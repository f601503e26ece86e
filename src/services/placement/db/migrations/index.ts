import type { Migration } from '../../../../platform/db/database.ts'
import { claims } from './001-claims.ts'

export const migrations: readonly Migration[] = [claims]
