/** One command line of a client, and what it is expected to do. */
export interface Entry {
  /** As typed, without quoting beyond '…' and "…". `{NAME}` is what an earlier command kept; `{DIR}` has the files. */
  readonly run: string
  /** Placeholder → field of what the command prints as JSON (of the first row, when it is a list). */
  readonly keep?: Readonly<Record<string, string>>
  /** What the output must show. */
  readonly shows?: RegExp
  /** It must fail with this on standard error, as upstream refuses it too; `why` goes into the table. */
  readonly refused?: RegExp
  /** It must fail with this, since Berth does not have what it asks for; `why` goes into the table. */
  readonly absent?: RegExp
  readonly why?: string
  /** Standard input. */
  readonly input?: string
  /** Repeated until it is as expected, at most so long: for what takes its time. */
  readonly withinSeconds?: number
  /** Whose command it is; `openstack` unless said otherwise. */
  readonly client?: 'openstack' | 'nova' | 'glance'
}

/** The commands of one service, in the order they are run. */
export interface CommandList {
  /** Names the page: `docs/compatibility/<service>.md`. */
  readonly service: string
  readonly title: string
  /** Groups of `openstack command list` of which every command must stand in the list. */
  readonly groups?: readonly string[]
  /** File name → content, in `{DIR}`. */
  readonly files?: Readonly<Record<string, string>>
  readonly entries: readonly Entry[]
}

/** The command line as the words that a shell would make of it. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|\S)+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, (_, single?: string, double?: string) => single ?? double ?? ''),
  )
}
