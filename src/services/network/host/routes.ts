import { mustRun } from '../../../machine/net/command.ts'
import { ipBatch, ipBatchForced } from '../../../machine/net/links.ts'
import { inNamespace } from '../../../machine/net/namespaces.ts'
import type { RouterOrder } from '../messages.ts'
import { gatewayLinkOf } from './names.ts'

/** Routes by destination, each with its next hops. Extra routes to everywhere stand in for the gateway's. */
function wantedRoutes({ gateway, routes }: RouterOrder): Map<string, string[]> {
  const wanted = new Map<string, string[]>()
  for (const { destination, nexthop } of routes)
    wanted.set(destination, [...(wanted.get(destination) ?? []), `via ${nexthop}`])
  for (const nexthop of gateway?.nextHops ?? []) {
    const everywhere = nexthop.includes(':') ? '::/0' : '0.0.0.0/0'
    // The gateway may lie outside the subnet: it is on the link all the same.
    if (!wanted.has(everywhere)) wanted.set(everywhere, [`via ${nexthop} dev ${gatewayLinkOf(gateway!.portId)} onlink`])
  }
  return wanted
}

/** The router's routes beside those its addresses bring. Ours carry the protocol `static`. Repeatable. */
export async function settleRoutes(namespace: string, order: RouterOrder): Promise<void> {
  const wanted = wantedRoutes(order)
  const stale: string[] = []
  for (const family of ['-4', '-6']) {
    const text = await mustRun(inNamespace(namespace, ['ip', '-json', family, 'route', 'show', 'proto', 'static']))
    for (const { dst } of JSON.parse(text.trim() || '[]') as { dst: string }[]) {
      const destination = dst === 'default' ? (family === '-4' ? '0.0.0.0/0' : '::/0') : withBits(dst)
      if (!wanted.has(destination)) stale.push(`route delete ${destination} proto static`)
    }
  }
  await ipBatchForced(namespace, stale)
  await ipBatch(
    namespace,
    [...wanted].map(([destination, hops]) =>
      hops.length === 1
        ? `route replace ${destination} ${hops[0]} proto static`
        : `route replace ${destination} proto static ${hops.map((hop) => `nexthop ${hop}`).join(' ')}`,
    ),
  )
}

const withBits = (destination: string): string =>
  destination.includes('/') ? destination : `${destination}/${destination.includes(':') ? 128 : 32}`
