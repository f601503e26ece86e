import type { Cidr, IpVersion } from './addresses.ts'
import { parseCidr, parseIp } from './addresses.ts'
import { badRequest, invalidInput } from './errors.ts'

/** Source: Neutron configuration reference: "max_dns_nameservers", "max_subnet_host_routes". */
const mostNameservers = 5
const mostHostRoutes = 20

interface Modes {
  ip_version: IpVersion
  enable_dhcp: boolean
  ipv6_address_mode: string | null
  ipv6_ra_mode: string | null
  cidr: string
}

/** Which combinations of addressing make sense. Source: Neutron administration guide, "IPv6". */
export function refuseModes(wanted: Modes, cidr: Cidr): void {
  const { ipv6_ra_mode: ra, ipv6_address_mode: addressing } = wanted
  if (cidr.prefix === 0) throw badRequest('BadRequest', 'Bad subnet request: 0 is not allowed as CIDR prefix length.')
  if (wanted.ip_version === 4) {
    if (ra !== null || addressing !== null) {
      throw invalidInput('ipv6_ra_mode or ipv6_address_mode cannot be set with ip_version 4')
    }
    if (wanted.enable_dhcp && cidr.prefix > 30) {
      throw invalidInput(`Subnet has a prefix length that is incompatible with DHCP service enabled: ${wanted.cidr}`)
    }
    if (wanted.enable_dhcp && cidr.first >> 28n === 0xen) {
      throw invalidInput('Multicast IP subnet is not supported if enable_dhcp is True')
    }
    return
  }
  if (ra === null && addressing === null) return
  if (!wanted.enable_dhcp) {
    throw invalidInput('ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False')
  }
  if (ra !== null && addressing !== null && ra !== addressing) {
    throw invalidInput(
      `ipv6_ra_mode set to '${ra}' with ipv6_address_mode set to '${addressing}' is not valid. ` +
        'If both attributes are set, they must be the same value',
    )
  }
  if ((addressing ?? ra) !== 'dhcpv6-stateful' && cidr.prefix !== 64) {
    throw invalidInput(
      `Invalid CIDR ${wanted.cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, ` +
        'which requires the prefix to be /64',
    )
  }
}

/** How many, and of which IP version. */
export function refuseHostRoutes(
  wanted: { dns_nameservers: readonly string[]; host_routes: readonly { destination: string; nexthop: string }[] },
  version: IpVersion,
): void {
  if (wanted.dns_nameservers.length > mostNameservers) {
    throw badRequest(
      'DNSNameServersExhausted',
      `Unable to complete operation for new subnet. The number of DNS nameservers exceeds the limit ${mostNameservers}.`,
    )
  }
  if (wanted.host_routes.length > mostHostRoutes) {
    throw badRequest(
      'HostRoutesExhausted',
      `Unable to complete operation for new subnet. The number of host routes exceeds the limit ${mostHostRoutes}.`,
    )
  }
  for (const { destination, nexthop } of wanted.host_routes) {
    if (parseCidr(destination)?.version === version && parseIp(nexthop)?.version === version) continue
    throw invalidInput(`host route '${destination} via ${nexthop}' does not match the ip_version '${version}'`)
  }
}
