import type { Ground } from '../../../platform/service.ts'

export type Deps = Pick<Ground, 'database' | 'clock'>
