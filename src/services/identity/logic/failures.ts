import { CloudError } from '../../../platform/errors.ts'

/** Too many failures of late: try again in so many seconds. */
export class TooManyFailures extends CloudError {
  readonly retryAfterSeconds: number
  constructor(retryAfterSeconds: number) {
    super('rateLimited', `Too many failed log-ins. Try again in ${retryAfterSeconds} seconds.`)
    this.retryAfterSeconds = retryAfterSeconds
  }
}
