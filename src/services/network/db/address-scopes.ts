import type { Selectable } from 'kysely'
import { rowsOf } from './rows.ts'
import type { AddressScopesTable } from './sharing-tables.ts'

export type AddressScopeRow = Selectable<AddressScopesTable>

export const { find, list, byIds, insert, update, remove } = rowsOf('network_address_scopes')
