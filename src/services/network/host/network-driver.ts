import { faultPoint } from '../../../platform/faults.ts'
import type { Logger } from '../../../platform/log.ts'
import type { PortOrder, SubnetFacts } from '../messages.ts'
import type { CarriedNetwork } from './carried.ts'
import { addExtraAddresses } from './extra-addresses.ts'
import { metadataAddress, nicOption, portOption, twinOption } from './names.ts'
import type { Endpoint, OrderStore } from './orders.ts'
import type { PluginMethods } from './plugin-server.ts'

export interface DriverDeps {
  orders: OrderStore
  carried(networkId: string): CarriedNetwork
  /** A port's cable went into a container, or came back. */
  changed(portId: string): void
  /** Docker has introduced itself: it may be another engine, or one that lost its networks. */
  activated(): void
  log: Logger
}

const macOption = 'com.docker.network.endpoint.macaddress'

/**
 * Docker's remote network driver. Addresses come from us, so its own address management is off (`null`), which also
 * lets an IPv6 address in, though Docker's network knows of none. Ids never heard of are no failure where something is
 * taken back: after a crash Docker tidies up what we may have forgotten. Nothing here may call Docker, which would wait
 * for itself. Source: libnetwork, "Docker Remote Drivers" (remote.md).
 */
export function networkDriver({ orders, carried, changed, activated, log }: DriverDeps): PluginMethods {
  const leaving = new Map<string, AbortController>()

  const endpointOf = (request: Record<string, unknown>): Endpoint => {
    const endpoint = orders.endpoints.get(String(request.EndpointID))
    if (!endpoint) throw new Error(`endpoint ${request.EndpointID} is not known here`)
    return endpoint
  }

  async function forget(endpointId: string): Promise<void> {
    const endpoint = orders.endpoints.get(endpointId)
    if (!endpoint) return
    leaving.get(endpointId)?.abort()
    leaving.delete(endpointId)
    await orders.remove('endpoints', endpointId)
    changed(endpoint.portId)
  }

  return {
    'Plugin.Activate': () => {
      activated()
      return { Implements: ['NetworkDriver'] }
    },
    'NetworkDriver.GetCapabilities': () => ({ Scope: 'local', ConnectivityScope: 'global' }),
    'NetworkDriver.CreateNetwork': () => ({}),
    'NetworkDriver.DeleteNetwork': () => ({}),
    'NetworkDriver.DiscoverNew': () => ({}),
    'NetworkDriver.DiscoverDelete': () => ({}),
    'NetworkDriver.ProgramExternalConnectivity': () => ({}),
    'NetworkDriver.RevokeExternalConnectivity': () => ({}),
    'NetworkDriver.EndpointOperInfo': () => ({ Value: {} }),

    'NetworkDriver.CreateEndpoint': async (request) => {
      const options = (request.Options ?? {}) as Record<string, unknown>
      const asked = (request.Interface ?? {}) as Record<string, string>
      const port = wantedPort(orders, options)
      const twin = options[twinOption] === 'true'
      const { first } = addressesOf(port, subnetsOf(orders, port), twin)
      // Docker refuses values for what it has set itself.
      const reply = {
        ...(asked.MacAddress || options[macOption] ? {} : { MacAddress: port.macAddress }),
        ...(asked.Address || !first[4] ? {} : { Address: first[4] }),
        ...(asked.AddressIPv6 || !first[6] ? {} : { AddressIPv6: first[6] }),
      }
      const endpointId = String(request.EndpointID)
      const further = options[nicOption] !== undefined
      await orders.put('endpoints', endpointId, { endpointId, portId: port.portId, sandboxKey: null, twin, further })
      return { Interface: reply }
    },

    'NetworkDriver.DeleteEndpoint': async (request) => {
      await forget(String(request.EndpointID))
      return {}
    },

    'NetworkDriver.Join': async (request) => {
      const endpoint = endpointOf(request)
      const port = knownPort(orders, endpoint.portId)
      const source = await carried(port.networkId).cableFor(port)
      const subnets = subnetsOf(orders, port)
      const routes = gateways(port, subnets)
      const sandboxKey = String(request.SandboxKey)
      const cut = new AbortController()
      leaving.set(endpoint.endpointId, cut)
      const { more } = addressesOf(port, subnets, endpoint.twin === true)
      if (more.length > 0)
        addExtraAddresses(sandboxKey, port.macAddress, more, cut.signal).catch((error) => {
          if (!cut.signal.aborted) log.warn({ err: error, port: port.portId }, 'further addresses could not be set')
        })
      await orders.put('endpoints', endpoint.endpointId, { ...endpoint, sandboxKey })
      changed(port.portId)
      faultPoint('network.plug.joined')
      return {
        InterfaceName: { SrcName: source, DstPrefix: 'eth' },
        ...(endpoint.further ? {} : routes),
        // Else Docker adds a NIC on a bridge of its own, past all isolation.
        DisableGatewayService: true,
        // A twin's subnets have theirs by the NIC before it, and it has no address yet to reach a next hop by.
        StaticRoutes: [
          ...(endpoint.twin
            ? []
            : [
                ...subnets.flatMap(({ hostRoutes }) =>
                  hostRoutes.flatMap(({ destination, nexthop }) =>
                    destination.endsWith('/0') ? [] : [{ Destination: destination, RouteType: 0, NextHop: nexthop }],
                  ),
                ),
                ...(endpoint.further ? asStaticRoutes(routes) : []),
              ]),
          // On the link itself (type 1), so that it needs no gateway.
          ...(port.metadataRoute ? [{ Destination: `${metadataAddress}/32`, RouteType: 1 }] : []),
        ],
      }
    },

    'NetworkDriver.Leave': async (request) => {
      const endpoint = orders.endpoints.get(String(request.EndpointID))
      if (!endpoint) return {}
      leaving.get(endpoint.endpointId)?.abort()
      await orders.put('endpoints', endpoint.endpointId, { ...endpoint, sandboxKey: null })
      changed(endpoint.portId)
      return {}
    },
  }
}

/** The compute driver names the port; failing that, the MAC address tells. */
function wantedPort(orders: OrderStore, options: Record<string, unknown>): PortOrder {
  const portId = options[portOption]
  if (typeof portId === 'string') return knownPort(orders, portId)
  const mac = options[macOption]
  const [port] = [...orders.ports.values()].filter((p) => typeof mac === 'string' && p.macAddress === mac.toLowerCase())
  if (!port) throw new Error(`a container on this network must name its port (${portOption})`)
  return port
}

function knownPort(orders: OrderStore, portId: string): PortOrder {
  const port = orders.ports.get(portId)
  if (port?.wish !== 'bound') throw new Error(`port ${portId} is not bound to this host`)
  return port
}

/** Subnets of the port's addresses, in their order. */
function subnetsOf(orders: OrderStore, port: PortOrder): SubnetFacts[] {
  const all = orders.networks.get(port.networkId)?.subnets ?? []
  const ids = new Set(port.fixedIps.map((ip) => ip.subnetId))
  return [...ids].flatMap((id) => all.find((subnet) => subnet.subnetId === id) ?? [])
}

/**
 * The first address of each version goes to Docker, which knows one of each; the others are set by us. So are all of a
 * twin's: Docker refuses a second NIC an address of a range that the first one has a route to.
 */
function addressesOf(port: PortOrder, subnets: readonly SubnetFacts[], twin: boolean) {
  const first: { 4?: string; 6?: string } = {}
  const more: string[] = []
  for (const { subnetId, ipAddress } of port.fixedIps) {
    const subnet = subnets.find((one) => one.subnetId === subnetId)
    if (!subnet) throw new Error(`subnet ${subnetId} of port ${port.portId} is not known here`)
    const address = `${ipAddress}/${subnet.cidr.split('/')[1]}`
    if (twin || first[subnet.ipVersion]) more.push(address)
    else first[subnet.ipVersion] = address
  }
  return { first, more }
}

/** Docker makes the NIC that has a gateway the first of all: one that is not the first gets its default route so. */
const asStaticRoutes = ({ Gateway, GatewayIPv6 }: ReturnType<typeof gateways>) => [
  ...(Gateway ? [{ Destination: '0.0.0.0/0', RouteType: 0, NextHop: Gateway }] : []),
  ...(GatewayIPv6 ? [{ Destination: '::/0', RouteType: 0, NextHop: GatewayIPv6 }] : []),
]

/** A host route to everywhere stands in for the subnet's gateway, as a client of DHCP would take it (RFC 3442). */
function gateways(port: PortOrder, subnets: readonly SubnetFacts[]): { Gateway?: string; GatewayIPv6?: string } {
  if (!port.defaultRoute) return {}
  const of = (version: 4 | 6): string | null => {
    for (const { ipVersion, hostRoutes, gatewayIp } of subnets) {
      if (ipVersion !== version) continue
      const gateway = hostRoutes.find(({ destination }) => destination.endsWith('/0'))?.nexthop ?? gatewayIp
      if (gateway !== null) return gateway
    }
    return null
  }
  const [four, six] = [of(4), of(6)]
  return { ...(four === null ? {} : { Gateway: four }), ...(six === null ? {} : { GatewayIPv6: six }) }
}
