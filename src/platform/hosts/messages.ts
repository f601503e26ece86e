/** Sent by every host role on `control.hosts.heartbeat`, at start, every 10 s, and when its facts change. */
export interface Heartbeat {
  host: string
  role: 'compute' | 'network' | 'storage'
  startedAt: string
  /** What the role knows of its machine (compute: `ComputeFacts`); kept as JSON in `hosts.facts`. */
  facts: Record<string, unknown>
}

export const heartbeatSubject = 'control.hosts.heartbeat'
