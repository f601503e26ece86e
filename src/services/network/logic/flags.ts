import type { Flag } from '../db/tables.ts'

export const flag = (value: boolean): Flag => (value ? 1 : 0)
