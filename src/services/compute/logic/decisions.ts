import type { Refusal } from '../../placement/index.ts'
import type { HostRefusal } from './filters.ts'

/** Why a server is where it is, or nowhere: kept with it, never more than so much. */
export interface Decision {
  at: string
  host: string | null
  /** Hosts that there were. */
  hosts: number
  /** Hosts that passed every filter. */
  open: number
  /** The best, the chosen one first. */
  best: { host: string; weight: number; parts: Record<string, { found: number; weight: number }> }[]
  /** The first of those refused, and how many by each filter in all. */
  refused: HostRefusal[]
  refusedBy: Record<string, number>
}

export const mostBest = 4
const mostRefused = 200
/** In a sentence; the rest is in the fault's details. */
const mostSaid = 20

export function countBy(refused: readonly HostRefusal[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { filter } of refused) counts[filter] = (counts[filter] ?? 0) + 1
  return counts
}

/** Of a server that found no host. */
export function noHost(at: string, hosts: number, refused: readonly HostRefusal[]): Decision {
  return {
    ...{ at, host: null, hosts, open: 0, best: [] },
    ...{ refused: refused.slice(0, mostRefused), refusedBy: countBy(refused) },
  }
}

const sentence = ({ host, filter, reason }: HostRefusal): string =>
  filter === 'Placement' ? `${host}: ${reason}` : `${host}: ${filter}: ${reason}`

const refusalOf = ({ host, resourceClass, wanted, free, capacity }: Refusal): HostRefusal => ({
  ...{ host, filter: 'Placement', reason: `${resourceClass}: wanted ${wanted}, free ${free} of ${capacity}` },
})

/** The sentence of a server's fault when no host would have it: each host, what refused it, and by how much. */
export function noValidHost(others: readonly HostRefusal[], short: readonly Refusal[] = []): string {
  const refused = [...short.map(refusalOf), ...others]
  if (refused.length === 0) return 'No valid host was found. No compute host has reported yet.'
  const more = refused.length - mostSaid
  const counts = Object.entries(countBy(refused)).map(([filter, count]) => `${filter} ${count}`)
  const rest = more > 0 ? `; and ${more} more (refused in all: ${counts.join(', ')})` : ''
  return `No valid host was found. ${refused.slice(0, mostSaid).map(sentence).join('; ')}${rest}`
}

/** The table of hosts, filters and figures. */
export function refusalTable(refused: readonly HostRefusal[]): string {
  return table(
    ['host', 'filter', 'why'],
    refused.slice(0, mostRefused).map(({ host, filter, reason }) => [host, filter, reason]),
  ).join('\n')
}

/** What `berth explain` prints of a decision. */
export function decisionLines({ at, host, hosts, open, best, refused, refusedBy }: Decision): string[] {
  const counts = Object.entries(refusedBy).map(([filter, count]) => `${filter} ${count}`)
  const summary = `decided ${at}: ${hosts} hosts, ${open} passed every filter${counts.length > 0 ? `; refused by ${counts.join(', ')}` : ''}`
  const chosen = host === null ? 'no host' : `host ${host}`
  const names = [...new Set(best.flatMap(({ parts }) => Object.keys(parts)))]
  const weights = table(
    ['host', 'weight', ...names.map((name) => name.replace('Weigher', ''))],
    best.map((each) => [
      each.host + (each.host === host ? ' *' : ''),
      each.weight.toFixed(3),
      ...names.map((name) => {
        const part = each.parts[name]
        return part ? `${part.weight.toFixed(3)} (${part.found})` : ''
      }),
    ]),
  )
  const refusals = refused.length > 0 ? ['', ...refusalTable(refused).split('\n')] : []
  return [chosen, summary, ...(best.length > 0 ? ['', ...weights] : []), ...refusals]
}

function table(head: readonly string[], rows: readonly string[][]): string[] {
  const all = [head, ...rows]
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)))
  return all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  )
}
