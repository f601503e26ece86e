import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // it ended meanwhile, or is not ours to look at
  }
}

/** The words a process was started with; none when it has ended. */
export const commandOf = (pid: number): string[] => read(`/proc/${pid}/cmdline`)?.split('\0').slice(0, -1) ?? []

/** Clock ticks from boot to the start of a process: with the pid it names one process for ever. Source: proc_pid_stat(5). */
export function startTimeOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`)
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  // A zombie has ended in every way but one.
  return fields?.[0] === 'Z' ? undefined : fields?.[19]
}

export const isAlive = (pid: number): boolean => startTimeOf(pid) !== undefined

/** Every process of the machine whose words pass `test`. */
export function findProcesses(test: (command: readonly string[]) => boolean): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && test(commandOf(pid)))
}

/** The processes that `pid` started and that still run. */
export function childrenOf(pid: number): number[] {
  const threads = (() => {
    try {
      return readdirSync(`/proc/${pid}/task`)
    } catch {
      return []
    }
  })()
  return threads.flatMap((thread) =>
    (read(`/proc/${pid}/task/${thread}/children`) ?? '').split(' ').filter(Boolean).map(Number),
  )
}

/** Sends a signal; a process that has ended meanwhile is no failure. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** True when the process ended within `timeoutMs`. */
export async function gone(pid: number, timeoutMs: number): Promise<boolean> {
  const started = startTimeOf(pid)
  const until = performance.now() + timeoutMs
  while (started !== undefined && startTimeOf(pid) === started) {
    if (performance.now() > until) return false
    await pause(25)
  }
  return true
}

/** Asks a process to end, and ends it when it has not within `graceMs`. */
export async function end(pid: number, graceMs: number): Promise<void> {
  signal(pid, 'SIGTERM')
  if (await gone(pid, graceMs)) return
  signal(pid, 'SIGKILL')
  await gone(pid, 5_000)
}
