/** How things are called on a machine. A link's name has at most 15 characters, so an id is cut to its first 11. */

export const namespaceOf = (networkId: string): string => `qnet-${networkId}`
export const networkOfNamespace = (namespace: string): string | null =>
  /^qnet-([0-9a-f-]{36})$/.exec(namespace)?.[1] ?? null

/** The bridge in every network's namespace, and the end of the cable to the machine itself. */
export const bridge = 'br0'
export const uplink = 'uplink'

/** Where servers find the metadata service, and DNS, whatever their network. Source: Compute guide, "Metadata service". */
export const metadataAddress = '169.254.169.254'

/** What a running cloud keeps until the machine restarts. */
export const runDirOf = (cloudId: string): string => `/run/berth/${cloudId}`

/** A network's tunnel to the other hosts that have it. */
export const tunnelOf = (networkId: string): string => `vx${networkId.slice(0, 11)}`

/** A port's cable: the end on the bridge, and the end that the engine moves into the container. */
export const tapOf = (portId: string): string => `tap${portId.slice(0, 11)}`
export const peerOf = (portId: string): string => `ns${portId.slice(0, 11)}`

/** A router's namespace, its ends inside (towards a tenant's network, and outwards), and their other end on the bridge. */
export const routerNamespaceOf = (routerId: string): string => `qrouter-${routerId}`
export const routerOfNamespace = (namespace: string): string | null =>
  /^qrouter-([0-9a-f-]{36})$/.exec(namespace)?.[1] ?? null
export const routerLinkOf = (portId: string): string => `qr-${portId.slice(0, 11)}`
export const gatewayLinkOf = (portId: string): string => `qg-${portId.slice(0, 11)}`
export const routerPeerOf = (portId: string): string => `rp-${portId.slice(0, 11)}`

/** The machine's own end on an external network. */
export const hostLinkOf = (networkId: string): string => `brx${networkId.slice(0, 11)}`

/** What every link and bridge of a cloud carries, so that clouds on one machine leave each other alone. */
export const aliasOf = (cloudId: string): string => `berth:${cloudId}`

/** The nft table of a cloud in the machine's own namespace. */
export const hostTableOf = (cloudId: string): string => `berth_${cloudId.replaceAll('-', '_')}`

/** The name under which Docker knows our plug-in, and where it looks for it. Source: Docker Plugin API, "Plugin discovery". */
export const driverOf = (cloudId: string): string => `berth-${cloudId}`
export const socketOf = (cloudId: string): string => `/run/docker/plugins/${driverOf(cloudId)}.sock`

export const cloudLabel = 'io.berth.cloud'
export const networkLabel = 'io.berth.network'
/** The `DriverOpts` key by which a container's endpoint says which port it is. */
export const portOption = 'io.berth.port'
/** Beside it, for a further NIC on a network that the container is on already. */
export const twinOption = 'io.berth.twin'
/** Beside it, for every NIC but the first: its number. */
export const nicOption = 'io.berth.nic'

/**
 * The Docker network of a server's NIC. Docker numbers a container's interfaces in the order of its networks' names, and
 * joins it to each at most once: so every NIC but the first has its number in the name, before the network's id. They
 * are all the same bridge.
 */
export const dockerNetworkOf = (networkId: string, nic: number): string =>
  nic === 0 ? `qnet-${networkId}` : `qnet${String(nic).padStart(3, '0')}-${networkId}`

export const networkOfDockerName = (name: string): string | null =>
  /^qnet(?:\d{3,})?-([0-9a-f-]{36})$/.exec(name)?.[1] ?? null
