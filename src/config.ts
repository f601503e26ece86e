export type { Config } from './platform/config.ts'
