import { type CommandList, type Entry, wordsOf } from './list.ts'

/** The command of a line: the longest known one that it holds, options before it left out. */
export function commandOf({ run, client }: Entry, known: readonly string[]): string {
  const words = wordsOf(run)
  if (client === 'nova' || client === 'glance') return `${client} ${words.find((word) => !word.startsWith('-')) ?? ''}`
  for (let from = 0; from < words.length; from++)
    for (let to = Math.min(words.length, from + 6); to > from; to--) {
      const command = words.slice(from, to).join(' ')
      if (known.includes(command)) return `openstack ${command}`
    }
  throw new Error(`${run}: the client has no such command`)
}

/** The page: one row a command, in the alphabet's order, with the options that were tried. */
export function pageOf({ service, title, entries }: CommandList, known: readonly string[]): string {
  const rows = new Map<string, Entry[]>()
  for (const entry of entries) {
    const command = commandOf(entry, known)
    rows.set(command, [...(rows.get(command) ?? []), entry])
  }
  const table = [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([command, tried]) => `| \`${command}\` | ${verdictOf(tried)} | ${optionsOf(tried)} |`)
  const works = [...rows.values()].filter((tried) => tried.some((each) => !each.refused && !each.absent)).length
  return [
    `# ${title}`,
    '',
    `Made by \`node test/clients/matrix.ts ${service}\`: every line was run with Debian 12's unmodified client against a fresh`,
    `cloud. Of ${rows.size} commands ${works} work. "As upstream" is a refusal that the real service gives too.`,
    '',
    '| command | outcome | options tried |',
    '|---|---|---|',
    ...table,
    '',
  ].join('\n')
}

function verdictOf(tried: readonly Entry[]): string {
  const parts = new Set(
    tried.map(({ refused, absent, why }) =>
      absent ? `not here${why ? `: ${why}` : ''}` : refused ? (why ? `as upstream: ${why}` : '') : 'works',
    ),
  )
  return [...parts].filter((part) => part !== '').join('; ') || 'as upstream'
}

function optionsOf(tried: readonly Entry[]): string {
  const options = tried.flatMap(({ run }) => wordsOf(run).filter((word) => /^--?(?!os-)[a-z]/.test(word)))
  return [...new Set(options.map((option) => `\`${option.split('=')[0]}\``))].sort().join(' ')
}
