import { type Call, configOf } from './call.ts'
import { askControl } from './control-socket.ts'
import type { StatusReport } from './running-cloud.ts'

type Report = StatusReport & { version: string; pid: number; stateDir: string; residentMiB: number }

/** `berth status`: exit code 0 when it runs, 3 when it does not, as init scripts say it. */
export async function run(call: Call): Promise<number> {
  const { stateDir } = configOf(call)
  const said = await askControl<Report>(stateDir, 'status')
  if (said.state !== 'up') {
    const words = said.state === 'off' ? 'not running' : 'starting'
    if (call.flags.json) call.out(JSON.stringify({ state: words, stateDir }))
    else call.out(`${words} (${stateDir})`)
    return 3
  }
  const report = said.answer
  if (call.flags.json) call.out(JSON.stringify({ state: 'running', ...report }, null, 2))
  else for (const line of linesOf(report, Date.now())) call.out(line)
  return 0
}

/** The report as three tables. */
export function linesOf(report: Report, nowMs: number): string[] {
  const ago = (iso: string | null) => (iso === null ? 'never' : `${age(nowMs - Date.parse(iso))} ago`)
  return [
    `running: process ${report.pid}, ${report.residentMiB} MiB, version ${report.version}, ${report.stateDir}`,
    '',
    ...table(
      ['SERVICE', 'UP SINCE', 'ADDRESS'],
      report.services.map(({ name, since, url }) => [name, since.slice(0, 19).replace('T', ' '), url]),
    ),
    '',
    ...table(
      ['HOST', 'ROLE', 'STATE', 'UP SINCE', 'HEARD OF'],
      report.hosts.map(({ name, role, up, since, seenAt }) => [
        name,
        role,
        up ? 'up' : 'down',
        since.slice(0, 19).replace('T', ' '),
        ago(seenAt),
      ]),
    ),
    '',
    ...table(
      ['LOOP', 'ROUNDS', 'LAST', 'TOOK', 'RESULT'],
      report.loops.map(({ name, rounds, lastStart, lastMs, lastError, lastResult }) => [
        name,
        String(rounds),
        ago(lastStart),
        lastMs === null ? '' : `${lastMs} ms`,
        lastError ? `failed: ${lastError}` : counts(lastResult),
      ]),
    ),
  ]
}

const counts = (result: Record<string, number> | null): string =>
  Object.entries(result ?? {})
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')

/** `12 s`, `3 min`, `5 h`, `2 d`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}

/** Columns as wide as their widest word. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)))
  return [head, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
