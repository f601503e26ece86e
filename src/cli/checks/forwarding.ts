import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Finding, ok, warn } from './finding.ts'

const exec = promisify(execFile)

/** Whether this machine's own firewall lets it pass on what servers on external networks send further. */
export async function checkForwarding(): Promise<Finding[]> {
  if (process.getuid?.() !== 0) return []
  const listed = await exec('nft', ['-j', 'list', 'chains']).catch(() => null)
  const legacy = await exec('iptables-legacy', ['-S', 'FORWARD']).catch(() => null)
  return listed === null ? [] : [forwardingFinding(listed.stdout, legacy?.stdout ?? '')]
}

const advice =
  'floating IPs are reached from this machine only; to pass on more: ' +
  "iptables -I FORWARD -i 'brx+' -j ACCEPT; iptables -I FORWARD -o 'brx+' -j ACCEPT"

/** `chains`: what `nft -j list chains` says; `legacy`: what `iptables-legacy -S FORWARD` does. Source: libnftables-json(5). */
export function forwardingFinding(chains: string, legacy: string): Finding {
  type Chain = { family: string; table: string; name: string; hook?: string; policy?: string }
  const { nftables } = JSON.parse(chains) as { nftables: { chain?: Chain }[] }
  const dropping = nftables.flatMap(({ chain }) =>
    chain?.hook === 'forward' && chain.policy === 'drop' && chain.family !== 'bridge'
      ? [`${chain.family} ${chain.table} ${chain.name}`]
      : [],
  )
  const all = [...dropping, ...(/^-P FORWARD DROP$/m.test(legacy) ? ['iptables-legacy FORWARD'] : [])]
  return all.length === 0
    ? ok('network: the machine may pass packets on')
    : warn(`network: packets that the machine is to pass on are dropped by default (${all.join(', ')})`, advice)
}
