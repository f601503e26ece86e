import type { TranslatedFlow } from '../../../machine/net/translations.ts'
import type { RouterOrder } from '../messages.ts'
import { gatewayLinkOf } from './names.ts'

const ipOf = (cidr: string): string => cidr.split('/')[0] ?? cidr
const is4 = (address: string): boolean => !address.includes(':')

/** The router's own IPv4 address outside; null without one. */
export const gatewayAddressOf = (order: RouterOrder): string | null =>
  order.gateway?.addresses.map(ipOf).find(is4) ?? null

/**
 * A router's address translation, written anew as a whole in one transaction. What comes to a floating address goes to
 * its fixed one and back; what leaves from a fixed address with a floating one leaves as that. Anything else leaves as
 * the router, if the gateway hides it. A floating address called from inside has its caller translated too, so that
 * the answer comes back this way even when both are on one subnet.
 * Source: nft(8), "NAT statements"; RFC 3022 §4; RFC 4787 §6 (hairpinning).
 */
export function routerRules(order: RouterOrder): string {
  const head = 'add table ip berth\ndelete table ip berth\n'
  const { gateway, floatingIps } = order
  if (!gateway) return head
  const out = `"${gatewayLinkOf(gateway.portId)}"`
  const own = gatewayAddressOf(order)
  const inward = floatingIps.map((one) => `${one.floatingIpAddress} : ${one.fixedIpAddress}`)
  const outward = floatingIps.map((one) => `${one.fixedIpAddress} : ${one.floatingIpAddress}`)
  const map = (name: string, elements: readonly string[]) =>
    `map ${name} { type ipv4_addr : ipv4_addr;${elements.length > 0 ? ` elements = { ${elements.join(', ')} };` : ''} }`
  return `${head}table ip berth {
  ${map('inward', inward)}
  ${map('outward', outward)}
  chain arriving {
    type filter hook prerouting priority -150; policy accept;
    iifname ${out} meta mark set 2
  }
  chain before {
    type nat hook prerouting priority -100; policy accept;
    dnat to ip daddr map @inward
  }
  chain after {
    type nat hook postrouting priority 100; policy accept;
    oifname ${out} snat to ip saddr map @outward
    ${own !== null && gateway.snat ? `oifname ${out} ip saddr != ${own} snat to ${own}` : ''}
    meta mark != 2 ct status dnat snat to ip saddr map @outward
    ${own === null ? '' : `meta mark != 2 ct status dnat snat to ${own}`}
  }
}
`
}

/** Whether a flow is translated as the order says now. Those that are not must end, or they would go on for ever. */
export function stillTranslated(order: RouterOrder, { flow, answerer, answeredTo }: TranslatedFlow): boolean {
  const inward = order.floatingIps.find((one) => one.floatingIpAddress === flow.destination)?.fixedIpAddress
  const outward = order.floatingIps.find((one) => one.fixedIpAddress === flow.source)?.floatingIpAddress
  const destined = answerer !== flow.destination
  if (destined && answerer !== inward) return false
  if (answeredTo === flow.source || answeredTo === outward) return true
  return answeredTo === gatewayAddressOf(order) && (destined || order.gateway?.snat === true)
}
