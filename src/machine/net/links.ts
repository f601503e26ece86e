import { access } from 'node:fs/promises'
import { CloudError } from '../../platform/errors.ts'
import { mustRun, runTool } from './command.ts'
import { inNamespace } from './namespaces.ts'

export interface Refusal {
  line: string
  message: string
}

const intoNamespace = (namespace: string | null, argv: readonly string[]): readonly string[] =>
  namespace === null ? argv : inNamespace(namespace, argv)

/** Runs many `ip` commands in one process, in order, until the first that fails. @throws CloudError with `ip`'s words */
export async function ipBatch(namespace: string | null, lines: readonly string[]): Promise<void> {
  const [refused] = await batch(namespace, lines, false)
  if (refused) throw new CloudError('internal', `ip ${refused.line}: ${refused.message}`)
}

/** As `ipBatch`, but goes on after a failure. Returns what was refused: for steps that may have been done before. */
export const ipBatchForced = (namespace: string | null, lines: readonly string[]): Promise<Refusal[]> =>
  batch(namespace, lines, true)

async function batch(namespace: string | null, lines: readonly string[], force: boolean): Promise<Refusal[]> {
  if (lines.length === 0) return []
  const argv = intoNamespace(namespace, ['ip', ...(force ? ['-force'] : []), '-batch', '-'])
  const { code, stderr } = await runTool(argv, `${lines.join('\n')}\n`)
  const refusals: Refusal[] = []
  let words: string[] = []
  for (const text of stderr.split('\n')) {
    const failed = /^Command failed -:(\d+)/.exec(text)
    if (failed) {
      refusals.push({ line: lines[Number(failed[1]) - 1] ?? '', message: words.join(' ').trim() })
      words = []
    } else words.push(text)
  }
  if (code !== 0 && refusals.length === 0) refusals.push({ line: '-batch', message: stderr.trim() || `status ${code}` })
  return refusals
}

export interface Link {
  ifname: string
  ifindex: number
  address?: string
  ifalias?: string
  mtu: number
  master?: string
  flags: readonly string[]
}

/** Every link of a namespace; null is our own. */
export async function listLinks(namespace: string | null): Promise<Link[]> {
  const text = await mustRun(intoNamespace(namespace, ['ip', '-json', 'link', 'show']))
  return JSON.parse(text.trim() || '[]') as Link[]
}

/** `10.0.0.1/24` of a link in our own namespace, without those the kernel gave it by itself. */
export async function listAddresses(link: string): Promise<string[]> {
  const text = await mustRun(['ip', '-json', 'address', 'show', 'dev', link, 'scope', 'global'])
  const links = JSON.parse(text.trim() || '[]') as { addr_info?: { local?: string; prefixlen?: number }[] }[]
  return links.flatMap(
    ({ addr_info = [] }) => addr_info.flatMap(({ local, prefixlen }) => (local ? [`${local}/${prefixlen}`] : [])), // others are left as {}
  )
}

/** Whether our own namespace has a link of this name: no process is started for it. */
export const linkExists = (name: string): Promise<boolean> =>
  access(`/proc/sys/net/ipv4/conf/${name}`).then(
    () => true,
    () => false,
  )

export interface LinkAddresses {
  ifname: string
  address?: string
  mtu: number
  ifalias?: string
  flags: readonly string[]
  /** `10.0.0.1/24`, without those the kernel gave by itself. */
  addresses: string[]
}

/** Every link of a namespace with its addresses, in one call. */
export async function listLinkAddresses(namespace: string): Promise<LinkAddresses[]> {
  const text = await mustRun(inNamespace(namespace, ['ip', '-json', 'address', 'show']))
  type Raw = Omit<LinkAddresses, 'addresses'> & {
    addr_info?: { local?: string; prefixlen?: number; scope?: string }[]
  }
  return (JSON.parse(text.trim() || '[]') as Raw[]).map(({ addr_info = [], ...link }) => ({
    ...link,
    addresses: addr_info.flatMap(({ local, prefixlen, scope }) =>
      local && scope === 'global' ? [`${local}/${prefixlen}`] : [],
    ),
  }))
}
