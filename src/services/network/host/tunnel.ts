import { mustRun, runTool } from '../../../machine/net/command.ts'
import { ipBatch, ipBatchForced } from '../../../machine/net/links.ts'
import { inNamespace } from '../../../machine/net/namespaces.ts'
import type { NetworkOrder } from '../messages.ts'
import { bridge, tunnelOf } from './names.ts'

/** This host's end of all tunnels. */
export interface TunnelEnd {
  localIp: string
  /** UDP. */
  port: number
}

/** VXLAN's own. Source: RFC 7348 §5. */
export const standardPort = 4789

const everyone = '00:00:00:00:00:00'

/**
 * The network's way to the other hosts that have it: a VXLAN device whose outer packets leave by the machine's own
 * namespace. What has no known place goes to every peer by unicast; where a neighbour is, the device learns from what
 * comes. Without peers there is none. Repeatable. Source: RFC 7348; bridge(8), "fdb append".
 */
export async function settleTunnel(
  namespace: string,
  order: NetworkOrder,
  { localIp, port }: TunnelEnd,
): Promise<void> {
  const link = tunnelOf(order.networkId)
  const { stdout } = await runTool(inNamespace(namespace, ['ip', '-json', '-details', 'link', 'show', 'dev', link]))
  const [found] = JSON.parse(stdout.trim() || '[]') as { linkinfo?: { info_data?: Record<string, unknown> } }[]
  const { id, local, port: foundPort } = found?.linkinfo?.info_data ?? {}
  const fits = id === order.vni && local === localIp && foundPort === port
  if (found && (order.peers.length === 0 || !fits)) await ipBatchForced(namespace, [`link delete ${link}`])
  if (order.peers.length === 0) return
  if (!found || !fits) {
    await ipBatchForced(null, [`link delete ${link}`]) // one that a killed process left on its way
    await ipBatch(null, [
      `link add ${link} type vxlan id ${order.vni} dstport ${port} local ${localIp}`,
      `link set ${link} netns ${namespace}`,
    ])
  }
  await ipBatch(namespace, [`link set ${link} mtu ${order.mtu} master ${bridge} up`])
  const text = await mustRun(inNamespace(namespace, ['bridge', '-json', 'fdb', 'show', 'dev', link]))
  const entries = JSON.parse(text.trim() || '[]') as { mac: string; dst?: string }[]
  const present = new Set(entries.flatMap(({ mac, dst }) => (mac === everyone && dst ? [dst] : [])))
  const lines = [
    ...order.peers.filter((peer) => !present.has(peer)).map((peer) => `fdb append ${everyone} dev ${link} dst ${peer}`),
    ...[...present]
      .filter((peer) => !order.peers.includes(peer))
      .map((peer) => `fdb delete ${everyone} dev ${link} dst ${peer}`),
  ]
  if (lines.length > 0) await mustRun(inNamespace(namespace, ['bridge', '-batch', '-']), `${lines.join('\n')}\n`)
}
