/** Runs `work` now and every `everyMs`, never twice at once; a failure is told and waits for the next time. */
export class Repeating {
  private readonly everyMs: number
  private readonly work: () => Promise<void>
  private readonly failed: (error: unknown) => void
  private timer: NodeJS.Timeout | null = null
  private running: Promise<void> | null = null
  private again = false
  private stopped = false
  constructor(everyMs: number, work: () => Promise<void>, failed: (error: unknown) => void) {
    this.everyMs = everyMs
    this.work = work
    this.failed = failed
  }

  /** While it runs: once more afterwards, for what it saw may be old by then. */
  now(): void {
    if (this.stopped) return
    if (this.running) {
      this.again = true
      return
    }
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    this.running = this.once()
  }

  async stop(): Promise<void> {
    this.stopped = true
    if (this.timer) clearTimeout(this.timer)
    await this.running
  }

  private async once(): Promise<void> {
    try {
      await this.work()
    } catch (thrown) {
      if (!this.stopped) this.failed(thrown)
    }
    this.running = null
    if (this.stopped) return
    if (this.again) {
      this.again = false
      this.now()
    } else this.timer = setTimeout(() => this.now(), this.everyMs)
  }
}
