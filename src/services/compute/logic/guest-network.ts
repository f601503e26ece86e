import ipaddr from 'ipaddr.js'
import type { GuestNic } from './deps.ts'

/**
 * `network_data.json`: one link a NIC, and per link the first network of each IP version.
 * Source: Nova documentation, "Metadata", network_data.json; its JSON schema.
 */
export function networkData(nics: readonly GuestNic[]) {
  const links = nics
    .filter(({ addresses }) => addresses.length > 0)
    .map((nic) => ({
      id: linkId(nic),
      vif_id: nic.portId,
      type: 'bridge',
      mtu: nic.mtu,
      ethernet_mac_address: nic.macAddress,
    }))
  const shown = nics.flatMap((nic) => {
    const first = ([4, 6] as const).map((version) => nic.addresses.find((address) => address.version === version))
    return first.flatMap((address) => (address ? [{ nic, address }] : []))
  })
  const networks = shown.map(({ nic, address }, i) => ({
    id: `network${i}`,
    link: linkId(nic),
    network_id: nic.networkId,
    ...networkOf(address),
  }))
  const servers = [...new Set(shown.flatMap(({ address }) => address.dns))]
  return { links, networks, services: servers.map(dnsService) }
}

const linkId = ({ portId }: GuestNic): string => `tap${portId.slice(0, 11)}`
const dnsService = (address: string) => ({ type: 'dns', address })

function networkOf({ version, dhcp, ipv6AddressMode, ...address }: GuestNic['addresses'][number]) {
  if (dhcp && ipv6AddressMode === null) return { type: `ipv${version}_dhcp` }
  const [anywhere] = version === 4 ? ['0.0.0.0'] : ['::']
  const gateway = address.gateway === null ? [] : [{ network: anywhere, netmask: anywhere, gateway: address.gateway }]
  const routes = address.routes.map(({ destination, nexthop }) => ({
    network: destination.split('/')[0],
    netmask: netmaskOf(destination),
    gateway: nexthop,
  }))
  return {
    type: ipv6AddressMode === null ? `ipv${version}` : `ipv${version}_${ipv6AddressMode}`,
    ip_address: address.ipAddress,
    netmask: netmaskOf(address.cidr),
    routes: [...gateway, ...routes],
    services: address.dns.map(dnsService),
  }
}

function netmaskOf(cidr: string): string {
  const [address, bits] = ipaddr.parseCIDR(cidr)
  return address.kind() === 'ipv4'
    ? ipaddr.IPv4.subnetMaskFromPrefixLength(bits).toString()
    : ipaddr.IPv6.subnetMaskFromPrefixLength(bits).toRFC5952String()
}
