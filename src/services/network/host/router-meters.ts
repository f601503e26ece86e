import { runTool } from '../../../machine/net/command.ts'
import { inNamespace } from '../../../machine/net/namespaces.ts'
import type { MeterFacts, MeterReading } from '../messages.ts'
import { networkOf } from './rules.ts'

/**
 * What a router counts, in a table of its own: the router's other rules change without losing a count. Packets are
 * looked at on their way through, so inside addresses are the servers' own.
 */
export function meterRules(meters: readonly MeterFacts[]): string {
  const head = 'add table inet berth_meter\ndelete table inet berth_meter\n'
  if (meters.length === 0) return head
  const chains = meters.map(({ labelId, rules }) => {
    // What is excluded is left out whatever else holds for it.
    const ordered = rules.toSorted((a, b) => Number(b.excluded) - Number(a.excluded))
    return [
      `  counter c-${labelId} { }`,
      `  chain l-${labelId} {`,
      ...ordered.map((rule) => `    ${wordsOf(rule)} ${rule.excluded ? '' : `counter name c-${labelId} `}return`),
      '  }',
    ].join('\n')
  })
  return `${head}table inet berth_meter {
${chains.join('\n')}
  chain through {
    type filter hook forward priority 10; policy accept;
${meters.map(({ labelId }) => `    jump l-${labelId}`).join('\n')}
  }
}
`
}

function wordsOf(rule: MeterFacts['rules'][number]): string {
  const inward = rule.direction === 'ingress'
  const part = (side: 'saddr' | 'daddr', prefix: string | null) => {
    if (prefix === null) return []
    return [`${prefix.includes(':') ? 'ip6' : 'ip'} ${side} ${networkOf(prefix)}`]
  }
  return [
    inward ? 'iifname "qg-*"' : 'oifname "qg-*"',
    ...part(inward ? 'saddr' : 'daddr', rule.remotePrefix),
    ...part('saddr', rule.sourcePrefix),
    ...part('daddr', rule.destinationPrefix),
  ].join(' ')
}

/** What was counted since it was last read. Source: nft(8), "reset". */
export async function readMeters(namespace: string): Promise<MeterReading[]> {
  const argv = ['nft', '-j', 'reset', 'counters', 'table', 'inet', 'berth_meter']
  const { code, stdout } = await runTool(inNamespace(namespace, argv))
  if (code !== 0) return []
  const { nftables } = JSON.parse(stdout) as {
    nftables: { counter?: { name: string; packets: number; bytes: number } }[]
  }
  return nftables.flatMap(({ counter }) =>
    counter && counter.packets > 0
      ? [{ labelId: counter.name.slice('c-'.length), packets: counter.packets, bytes: counter.bytes }]
      : [],
  )
}
