/**
 * Fault points: named places where a test can kill a process, to prove that what was begun is finished or undone
 * afterwards. Nothing is armed unless a test arms it, over the control socket of a cloud that was started with
 * `BERTH_FAULTS=true`, or in a process of its own.
 */
interface Armed {
  name: string
  passages: number
  victim: number
}

let armed: Armed | null = null

/**
 * Kills `victim` (a pid; this process unless told otherwise) with SIGKILL at the next passage of a point. `spec` is
 * `name`, or `name:3` for the third passage; null disarms.
 */
export function armFault(spec: string | null, victim = process.pid): void {
  const [name = '', n = '1'] = (spec ?? '').split(':')
  armed = spec ? { name, passages: Number(n), victim } : null
}

/** Whether a point is still to be passed. */
export const isFaultArmed = (): boolean => armed !== null

/** Marks a step. Costs a comparison unless a fault is armed. */
export function faultPoint(name: string): void {
  if (armed === null || armed.name !== name || --armed.passages > 0) return
  const { victim } = armed
  armed = null
  process.kill(victim, 'SIGKILL')
}
