import { setTimeout as wait } from 'node:timers/promises'
import type { Ran } from '../../support/berth.ts'
import type { Driver } from './driver.ts'
import { type Entry, wordsOf } from './list.ts'

export interface Outcome {
  readonly entry: Entry
  /** What is wrong; null when it went as expected. */
  readonly problem: string | null
}

/** Runs one entry, and keeps what later ones want of it in `kept`. */
export async function outcomeOf(driver: Driver, entry: Entry, kept: Map<string, string>): Promise<Outcome> {
  const line = entry.run.replace(/\{([A-Z]\w*)\}/g, (_, name: string) => {
    const value = kept.get(name)
    if (value === undefined) throw new Error(`${entry.run}: nothing kept {${name}}`)
    return value
  })
  const words = wordsOf(line)
  const argv = entry.keep ? [...words, '-f', 'json'] : words
  const until = Date.now() + (entry.withinSeconds ?? 0) * 1000
  for (;;) {
    const ran = await driver.run(entry.client ?? 'openstack', argv, entry.input)
    const problem = problemOf(entry, ran)
    if (problem === null) keep(entry, ran, kept)
    if (problem === null || Date.now() >= until) return { entry, problem }
    await wait(500)
  }
}

function problemOf(entry: Entry, ran: Ran): string | null {
  const said = `exit code ${ran.code}\n${ran.stdout.slice(0, 2000)}${ran.stderr.slice(-2000)}`
  const refusal = entry.refused ?? entry.absent
  if (refusal) {
    if (ran.code === 0) return `it works, and was to be refused (${refusal})\n${said}`
    return refusal.test(ran.stderr) || refusal.test(ran.stdout) ? null : `refused, but not with ${refusal}: ${said}`
  }
  if (ran.code !== 0) return said
  return entry.shows && !entry.shows.test(ran.stdout) ? `it does not show ${entry.shows}: ${said}` : null
}

function keep(entry: Entry, ran: Ran, kept: Map<string, string>): void {
  if (!entry.keep) return
  const answer: unknown = JSON.parse(ran.stdout.slice(ran.stdout.search(/[[{]/)))
  const row = (Array.isArray(answer) ? answer[0] : answer) as Record<string, unknown> | undefined
  for (const [name, field] of Object.entries(entry.keep)) {
    const value = row?.[field]
    if (value === undefined) throw new Error(`${entry.run}: its answer has no ${field}: ${ran.stdout}`)
    kept.set(name, String(value))
  }
}
