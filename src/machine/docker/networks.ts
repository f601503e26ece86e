import type { Engine } from './engine.ts'

/** Source for the whole file: Docker Engine API reference, "Network". */
export interface NewNetwork {
  Name: string
  Driver: string
  Internal?: boolean
  EnableIPv6?: boolean
  Attachable?: boolean
  Options?: Readonly<Record<string, string>>
  Labels?: Readonly<Record<string, string>>
  IPAM?: {
    Driver?: string
    Options?: Readonly<Record<string, string>>
    Config?: readonly { Subnet?: string; Gateway?: string; IPRange?: string }[]
  }
}

export interface Network {
  Id: string
  Name: string
  Driver: string
  Labels: Readonly<Record<string, string>> | null
  Options: Readonly<Record<string, string>> | null
  /** Only in an inspection: those that run, by container id. */
  Containers?: Readonly<Record<string, { Name: string; EndpointID: string; MacAddress: string; IPv4Address: string }>>
}

/** What a container asks of a network. */
export interface Endpoint {
  DriverOpts?: Readonly<Record<string, string>>
  IPAMConfig?: { IPv4Address?: string; IPv6Address?: string }
  MacAddress?: string
}

/** Returns the id. @throws CloudError `conflict` when the name is taken */
export async function create(engine: Engine, network: NewNetwork, signal: AbortSignal): Promise<string> {
  const body = { ...network, CheckDuplicate: true } // engines before API 1.44 would otherwise make a second of the name
  return (await engine.json<{ Id: string }>('POST', '/networks/create', { body, signal })).Id
}

/** @throws CloudError `notFound` */
export const inspect = (engine: Engine, name: string, signal: AbortSignal): Promise<Network> =>
  engine.json('GET', `/networks/${encodeURIComponent(name)}`, { signal })

/** Networks that carry every one of `labels` (`name` or `name=value`). */
export const list = (engine: Engine, labels: readonly string[], signal: AbortSignal): Promise<Network[]> =>
  engine.json('GET', '/networks', { query: { filters: JSON.stringify({ label: labels }) }, signal })

/** A network that is absent already is no failure. @throws CloudError `forbidden` while containers are on it */
export async function remove(engine: Engine, name: string, signal: AbortSignal): Promise<void> {
  await engine.send('DELETE', `/networks/${encodeURIComponent(name)}`, { signal, accept: [404] })
}

export async function connect(
  engine: Engine,
  name: string,
  container: string,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<void> {
  const body = { Container: container, EndpointConfig: endpoint }
  await engine.send('POST', `/networks/${encodeURIComponent(name)}/connect`, { body, signal })
}

/** With force, also when the network itself is gone. */
export async function disconnect(engine: Engine, name: string, container: string, signal: AbortSignal): Promise<void> {
  const body = { Container: container, Force: true }
  await engine.send('POST', `/networks/${encodeURIComponent(name)}/disconnect`, { body, signal })
}
