import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'

/** Everything that can be set. Read once, here; nothing else looks at the environment. */
export interface Config {
  stateDir: string
  bind: string
  /** Added to every port, so that several clouds live on one machine. */
  portBase: number
  /** What clients are told to connect to; empty means `bind`. */
  publicHost: string
  region: string
  /** `sqlite` (in the state directory) or `postgres://…`. */
  database: string
  logLevel: string
  host: string
  demo: boolean
  engineSocket: string
  /** The engine is ours: started by `up` with its data in the state directory. */
  engineOwn: boolean
  publicCidr: string
  /** Masquerade what servers on external networks send beyond this machine. */
  publicNat: boolean
  tokenHours: number
  cpuAllocationRatio: number
  ramAllocationRatio: number
  diskAllocationRatio: number
  quotas: { instances: number; cores: number; ramMiB: number; keyPairs: number }
  /** Bytes; 0 for no bound but the disk's. */
  imageSizeMaxBytes: number
  fault: string | null
}
