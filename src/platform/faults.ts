/**
 * Fault points: named places where a test can kill the process, to prove that what was begun is finished or undone
 * after a restart. `BERTH_FAULT=compute.create.started` (or `…:3` for the third passage) makes the process SIGKILL itself there.
 */
let armed: { name: string; passages: number } | null = null

/** Called once from config. `spec` is `name` or `name:n`. */
export function armFault(spec: string | null): void {
  if (!spec) {
    armed = null
    return
  }
  const [name = '', n = '1'] = spec.split(':')
  armed = { name, passages: Number(n) }
}

/** Marks a step. Costs a comparison unless a fault is armed. */
export function faultPoint(name: string): void {
  if (armed === null || armed.name !== name || --armed.passages > 0) return
  process.kill(process.pid, 'SIGKILL')
}
