import { createHash } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { mustRun } from '../../../machine/net/command.ts'
import { ipBatch, ipBatchForced } from '../../../machine/net/links.ts'
import { inNamespace } from '../../../machine/net/namespaces.ts'
import type { NetworkOrder } from '../messages.ts'
import { bridge, metadataAddress } from './names.ts'
import { networkOf } from './rules.ts'

/** This host's own end on a network, on the bridge itself: it answers DHCP, DNS and metadata there, and routes nothing. */
export interface LocalEnd {
  macAddress: string
  /** Of the bridge, with prefix lengths. */
  addresses: readonly string[]
  /** Subnets that are here without an address of ours: answers must find their way back all the same. */
  onLink: readonly string[]
  /** Where DNS questions that we cannot answer ourselves leave. */
  gateway: string | null
}

export function localEndOf(order: NetworkOrder): LocalEnd {
  const own = (order.dhcp?.addresses ?? []).filter((address) => !address.includes(':'))
  const four = order.subnets.filter((subnet) => subnet.ipVersion === 4)
  const held = new Set(own.map((address) => networkOf(address)))
  const routed = four.find(({ gatewayIp, cidr }) => gatewayIp !== null && held.has(networkOf(cidr)))
  const reachable = routed?.gatewayIp && ipaddr.parse(routed.gatewayIp).match(ipaddr.parseCIDR(routed.cidr))
  return {
    macAddress: order.dhcp?.macAddress ?? macOf(order.networkId),
    addresses: [...own, `${metadataAddress}/32`],
    onLink: four.map(({ cidr }) => networkOf(cidr)).filter((cidr) => !held.has(cidr)),
    gateway: reachable ? (routed.gatewayIp ?? null) : null,
  }
}

/** The same at every start: servers remember their neighbours'. */
const macOf = (networkId: string): string => {
  const bytes = createHash('sha256').update(networkId).digest('hex').slice(0, 10).match(/../g) ?? []
  return `06:${bytes.join(':')}`
}

/** Brings addresses and routes of the bridge in line. Repeatable. */
export async function settleLocalEnd(namespace: string, end: LocalEnd): Promise<void> {
  const text = await mustRun(inNamespace(namespace, ['ip', '-json', '-4', 'address', 'show', 'dev', bridge]))
  const links = JSON.parse(text.trim() || '[]') as { addr_info?: { local?: string; prefixlen?: number }[] }[]
  const present = links.flatMap(({ addr_info = [] }) =>
    addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
  )
  const stale = present.filter((address) => !end.addresses.includes(address))
  await ipBatchForced(namespace, [
    ...stale.map((address) => `address delete ${address} dev ${bridge}`),
    'route flush proto static',
  ])
  await ipBatch(namespace, [
    `link set ${bridge} address ${end.macAddress}`,
    ...end.addresses.map((address) => `address replace ${address} dev ${bridge}`),
    ...end.onLink.map((cidr) => `route replace ${cidr} dev ${bridge} scope link proto static`),
    ...(end.gateway === null ? [] : [`route replace default via ${end.gateway} dev ${bridge} proto static`]),
  ])
}
