/**
 * Hints, orders and reports between processes; any may be lost, doubled or late. Subjects are dotted words
 * (`host.node1.compute`), so that a host can be confined to its own. Messages are plain JSON.
 */
export interface Bus {
  publish(subject: string, message: unknown): void
  /** `*` stands for one word. Returns the way to unsubscribe. An error thrown by `handler` is logged, not passed on. */
  subscribe<T>(subject: string, handler: (message: T, subject: string) => void | Promise<void>): () => void
  /** @throws CloudError kind `unavailable` when nobody answers in time; the responder's CloudError otherwise. */
  request<T>(subject: string, message: unknown, options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<T>
  respond<Q, A>(subject: string, handler: (message: Q) => Promise<A>): () => void
  close(): Promise<void>
}
