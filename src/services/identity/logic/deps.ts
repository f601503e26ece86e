import type { FailureLimit } from '../../../platform/auth/rate-limit.ts'
import type { Revocations } from '../../../platform/auth/revocations.ts'
import type { SecretBox } from '../../../platform/auth/secret-box.ts'
import type { Tokens } from '../../../platform/auth/tokens.ts'
import type { Bus } from '../../../platform/bus/bus.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { FederationSettings, SecurityCompliance } from '../../../platform/config.ts'
import type { Database } from '../../../platform/db/database.ts'
import type { Kept } from '../../../platform/db/kept.ts'
import type { Logger } from '../../../platform/log.ts'

/** What the identity service's logic works with. */
export interface Deps {
  readonly database: Database
  readonly clock: Clock
  readonly bus: Bus
  readonly log: Logger
  readonly tokens: Tokens
  readonly revocations: Revocations
  /** For secrets that must be read again. */
  readonly secretBox: SecretBox
  /** What tokens are made from. */
  readonly kept: Kept
  readonly tokenMs: number
  readonly compliance: SecurityCompliance
  readonly federation: FederationSettings
  /** Per user and address. */
  readonly failures: FailureLimit
}
