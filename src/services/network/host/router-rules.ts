import type { TranslatedFlow } from '../../../machine/net/translations.ts'
import type { PortForwardingFacts, RouterOrder } from '../messages.ts'
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
  const map = (name: string, elements: readonly string[], type = 'ipv4_addr : ipv4_addr') =>
    `map ${name} { type ${type};${elements.length > 0 ? ` elements = { ${elements.join(', ')} };` : ''} }`
  const forwards = (order.portForwardings ?? []).flatMap(forwardElements)
  return `${head}table ip berth {
  ${map('inward', inward)}
  ${map('outward', outward)}
  ${map('forwards', forwards, 'ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service')}
  chain arriving {
    type filter hook prerouting priority -150; policy accept;
    iifname ${out} meta mark set 2
  }
  chain before {
    type nat hook prerouting priority -100; policy accept;
    dnat to ip daddr map @inward
    dnat ip to ip daddr . meta l4proto . th dport map @forwards
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

/** One element a port: a range inside may begin elsewhere than outside, or be a single port. */
function forwardElements(one: PortForwardingFacts): string[] {
  return Array.from({ length: one.externalLast - one.externalFirst + 1 }, (_, i) => {
    const inside = one.internalFirst === one.internalLast ? one.internalFirst : one.internalFirst + i
    return `${one.floatingIpAddress} . ${one.protocol} . ${one.externalFirst + i} : ${one.fixedIpAddress} . ${inside}`
  })
}

const protocolNumbers: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, dccp: 33 }

/** Where a flow that comes to a floating address is led by a port forwarding, if by one. */
function forwardedTo(order: RouterOrder, flow: TranslatedFlow['flow']): string | undefined {
  return order.portForwardings?.find(
    (one) =>
      one.floatingIpAddress === flow.destination &&
      protocolNumbers[one.protocol] === flow.protocol &&
      flow.destinationPort !== null &&
      flow.destinationPort >= one.externalFirst &&
      flow.destinationPort <= one.externalLast,
  )?.fixedIpAddress
}

/** Whether a flow is translated as the order says now. Those that are not must end, or they would go on for ever. */
export function stillTranslated(order: RouterOrder, { flow, answerer, answeredTo }: TranslatedFlow): boolean {
  const whole = order.floatingIps.find((one) => one.floatingIpAddress === flow.destination)?.fixedIpAddress
  const inward = whole ?? forwardedTo(order, flow)
  const outward = order.floatingIps.find((one) => one.fixedIpAddress === flow.source)?.floatingIpAddress
  const destined = answerer !== flow.destination
  if (destined && answerer !== inward) return false
  if (answeredTo === flow.source || answeredTo === outward) return true
  return answeredTo === gatewayAddressOf(order) && (destined || order.gateway?.snat === true)
}
