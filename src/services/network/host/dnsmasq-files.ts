import ipaddr from 'ipaddr.js'
import type { NetworkOrder, PortOrder, SubnetFacts } from '../messages.ts'
import { bridge, metadataAddress } from './names.ts'

/** Neutron's `dns_domain` when nobody sets one. */
export const dnsDomain = 'openstacklocal'
const leaseSeconds = 86_400

/** What dnsmasq reads, at its start. */
export interface DnsmasqFiles {
  conf: string
  hosts: string
  options: string
  names: string
}

/**
 * The words of one network's dnsmasq: every address is one that the network service has given away, so it has no leases
 * of its own to lose. Source: dnsmasq(8); RFC 2132, RFC 3442; Networking guide, "DHCP agent".
 */
export function dnsmasqFiles(
  order: NetworkOrder,
  ports: readonly PortOrder[],
  folder: string,
  resolvers: readonly string[],
): DnsmasqFiles {
  const served = order.subnets.filter((subnet) => subnet.enableDhcp)
  const own = new Map(served.map((subnet) => [subnet.subnetId, ownAddress(order, subnet)]))
  const four = served.filter((subnet) => subnet.ipVersion === 4 && own.get(subnet.subnetId))
  const upstream = [...new Set(order.subnets.flatMap((subnet) => subnet.dnsNameservers))]
  const lines = [
    ...['no-hosts', 'no-resolv', 'bind-interfaces', `interface=${bridge}`, 'except-interface=lo'],
    ...['user=nobody', 'quiet-dhcp', 'quiet-dhcp6', 'quiet-ra', 'log-facility=/dev/null'],
    ...['dhcp-authoritative', 'dhcp-no-override', 'leasefile-ro'],
    `pid-file=${folder}/pid`,
    `dhcp-hostsfile=${folder}/hosts`,
    `dhcp-optsfile=${folder}/options`,
    `addn-hosts=${folder}/names`,
    ...[`domain=${dnsDomain}`, `local=/${dnsDomain}/`],
    ...(upstream.length > 0 ? upstream : resolvers).map((address) => `server=${address}`),
    ...four.map((subnet) => {
      const [range] = ipaddr.IPv4.parseCIDR(subnet.cidr)
      const bits = Number(subnet.cidr.split('/')[1])
      return `dhcp-range=set:${tagOf(subnet)},${range},static,${ipaddr.IPv4.subnetMaskFromPrefixLength(bits)},${leaseSeconds}`
    }),
    // It binds to the addresses that are there when it starts.
    `# on ${(order.dhcp?.addresses ?? []).join(' ')}`,
  ]
  return {
    conf: `${lines.join('\n')}\n`,
    hosts: text(ports.flatMap((port) => hostLines(port, served))),
    options: text([
      ...four.flatMap((subnet) => subnetOptions(order, subnet, own.get(subnet.subnetId)!)),
      ...ports.flatMap(portOptions),
    ]),
    names: text(ports.flatMap(nameLines)),
  }
}

const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('')
const tagOf = ({ subnetId }: SubnetFacts): string => `subnet-${subnetId}`
const portTag = ({ portId }: PortOrder): string => `port-${portId}`

/** The address by which this host serves a subnet. */
export function ownAddress(order: NetworkOrder, { cidr }: SubnetFacts): string | null {
  const range = ipaddr.parseCIDR(cidr)
  for (const text of order.dhcp?.addresses ?? []) {
    const address = ipaddr.parse(text.split('/')[0] ?? '')
    if (address.kind() === range[0].kind() && address.match(range)) return address.toString()
  }
  return null
}

/** Which resolvers a server on this subnet is to ask: those it was given, else this host. */
export function resolversOf(order: NetworkOrder, subnet: SubnetFacts): string[] {
  if (subnet.dnsNameservers.length > 0) return [...subnet.dnsNameservers]
  const own = subnet.enableDhcp ? ownAddress(order, subnet) : null
  return own === null ? [] : [own]
}

/** `host-10-0-0-5`: what a port without a name of its own is called. */
const nameOf = (address: string): string => `host-${address.replace(/[.:]+/g, '-')}`

function hostLines(port: PortOrder, served: readonly SubnetFacts[]): string[] {
  return port.fixedIps.flatMap(({ subnetId, ipAddress }) => {
    if (ipAddress.includes(':') || !served.some((subnet) => subnet.subnetId === subnetId)) return []
    const name = `${port.dnsName || nameOf(ipAddress)}.${dnsDomain}`
    const tag = (port.extraDhcpOptions ?? []).length > 0 ? [`set:${portTag(port)}`] : []
    return [[port.macAddress, name, ipAddress, ...tag].join(',')]
  })
}

function nameLines(port: PortOrder): string[] {
  return port.fixedIps.map(({ ipAddress }) => {
    const names = [...(port.dnsName ? [port.dnsName] : []), nameOf(ipAddress)]
    return [ipAddress, ...names.flatMap((name) => [`${name}.${dnsDomain}`, name])].join(' ')
  })
}

/** With classless routes a client heeds no router option (RFC 3442), so the gateway is in both. */
function subnetOptions(order: NetworkOrder, subnet: SubnetFacts, own: string): string[] {
  const tag = `tag:${tagOf(subnet)}`
  const routes = subnet.hostRoutes
    .filter(({ destination }) => !destination.includes(':'))
    .map(({ destination, nexthop }) => `${destination},${nexthop}`)
  const hasDefault = subnet.hostRoutes.some(({ destination }) => destination === '0.0.0.0/0')
  const classless = [
    ...routes,
    `${metadataAddress}/32,${own}`,
    ...(subnet.gatewayIp === null || hasDefault ? [] : [`0.0.0.0/0,${subnet.gatewayIp}`]),
  ].join(',')
  return [
    `${tag},option:dns-server,${resolversOf(order, subnet).join(',')}`,
    `${tag},option:classless-static-route,${classless}`,
    `${tag},249,${classless}`,
    // Without a value the option is not sent; left out, dnsmasq would name itself.
    `${tag},option:router${subnet.gatewayIp === null ? '' : `,${subnet.gatewayIp}`}`,
    `${tag},option:mtu,${order.mtu}`,
    `${tag},option:domain-name,${dnsDomain}`,
  ]
}

const portOptions = (port: PortOrder): string[] =>
  (port.extraDhcpOptions ?? []).flatMap(({ name, value, ipVersion }) => {
    const known = /^\d+$/.test(name) ? name : `option${ipVersion === 6 ? '6' : ''}:${name}`
    return /[\n\r]/.test(`${name}${value}`) ? [] : [`tag:${portTag(port)},${known},${value}`]
  })
