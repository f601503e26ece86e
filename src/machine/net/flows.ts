import { CloudError } from '../../platform/errors.ts'
import { mustRun, runTool } from './command.ts'
import { inNamespace } from './namespaces.ts'

/** A flow that the kernel follows, as its first packet was. */
export interface Flow {
  /** IP protocol number. */
  protocol: number
  source: string
  destination: string
  sourcePort: number | null
  destinationPort: number | null
  icmp: { type: number; code: number; id: number | null } | null
}

/** The flows of a namespace, both address families. Source: conntrack(8), "-L". */
export async function listFlows(namespace: string): Promise<Flow[]> {
  const text = await mustRun(inNamespace(namespace, ['conntrack', '-L']))
  return text.split('\n').flatMap((line) => parseFlow(line) ?? [])
}

/** `tcp 6 99 ESTABLISHED src=… dst=… sport=… dport=… src=…`: the first of each pair is the original direction. */
export function parseFlow(line: string): Flow | null {
  const protocol = /^\S+\s+(\d+)\s/.exec(line)?.[1]
  const first = (key: string): string | null => new RegExp(`\\s${key}=(\\S+)`).exec(line)?.[1] ?? null
  const number = (key: string): number | null => (first(key) === null ? null : Number(first(key)))
  const [source, destination] = [first('src'), first('dst')]
  if (!protocol || !source || !destination) return null
  const type = number('type')
  return {
    protocol: Number(protocol),
    source,
    destination,
    sourcePort: number('sport'),
    destinationPort: number('dport'),
    icmp: type === null ? null : { type, code: number('code') ?? 0, id: number('id') },
  }
}

/** Forgets flows: their next packets are judged as new. Those that are gone already are no failure. */
export async function deleteFlows(namespace: string, flows: readonly Flow[]): Promise<void> {
  if (flows.length === 0) return
  const lines = flows.map((flow) => `${deletionOf(flow)}\n`)
  // conntrack opens its standard input by name, which needs a pipe; ours is a socket.
  const argv = inNamespace(namespace, ['sh', '-c', 'cat | conntrack -R -'])
  const { code, stderr } = await runTool(argv, lines.join(''))
  if (code !== 0 && !/flow entries have been deleted/.test(stderr))
    throw new CloudError('internal', `conntrack -R failed: ${stderr.trim()}`)
}

function deletionOf({ protocol, source, destination, sourcePort, destinationPort, icmp }: Flow): string {
  const family = source.includes(':') ? 'ipv6' : 'ipv4'
  const words = ['-D', '-f', family, '-p', protocolWords[protocol] ?? `${protocol}`, '-s', source, '-d', destination]
  // Only for protocols whose options conntrack knows: for others the addresses have to do.
  if (protocolWords[protocol] && sourcePort !== null) words.push('--sport', `${sourcePort}`)
  if (protocolWords[protocol] && destinationPort !== null) words.push('--dport', `${destinationPort}`)
  if (icmp) {
    const name = family === 'ipv6' ? 'icmpv6' : 'icmp'
    words.push(`--${name}-type`, `${icmp.type}`, `--${name}-code`, `${icmp.code}`)
    if (icmp.id !== null) words.push(`--${name}-id`, `${icmp.id}`)
  }
  return words.join(' ')
}

const protocolWords: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  58: 'icmpv6',
  132: 'sctp',
  136: 'udplite',
}
