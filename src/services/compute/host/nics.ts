import type * as containers from '../../../machine/docker/containers.ts'
import type { Engine } from '../../../machine/docker/engine.ts'
import * as networks from '../../../machine/docker/networks.ts'
import { faultPoint } from '../../../platform/faults.ts'
import type { ServerOrder } from '../messages.ts'
import { dockerNetworks } from './container-spec.ts'
import type { Plug } from './driver.ts'

/** The Engine's network of a container without NICs; one that is on it can be on no other. */
const noNetwork = 'none'

export interface Rewiring {
  /** Docker networks to leave, and those to join after that. */
  leave: string[]
  join: ReturnType<typeof dockerNetworks>
}

/** From the NICs a container has to those it shall have; null when they are the same. */
export function rewiringOf(found: containers.Container, ports: ServerOrder['ports']): Rewiring | null {
  const has = found.NetworkSettings.Networks ?? {}
  const wanted = ports.length > 0 ? dockerNetworks(ports) : [{ name: noNetwork, endpoint: {} }]
  const fits = ({ name, endpoint }: Rewiring['join'][number]) => {
    const there = has[name]
    return there !== undefined && (name === noNetwork || same(there.DriverOpts ?? {}, endpoint.DriverOpts ?? {}))
  }
  const kept = new Set(wanted.filter(fits).map(({ name }) => name))
  const leave = Object.keys(has).filter((name) => !kept.has(name))
  const join = wanted.filter(({ name }) => !kept.has(name))
  return leave.length + join.length === 0 ? null : { leave, join }
}

const same = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([key, value]) => b[key] === value)

/** Resolves when the data path knows the ports, and the Engine their networks. */
export async function portsReady(ports: ServerOrder['ports'], plug: Plug, signal: AbortSignal): Promise<void> {
  if (ports.length === 0) return
  const ids = ports.map((port) => port.portId)
  const names = dockerNetworks(ports).map(({ name }) => name)
  await plug.ready(ids, names, signal)
}

/** Running or not: the Engine plugs into a container that runs, and remembers it for one that does not. */
export async function rewire(
  engine: Engine,
  id: string,
  { leave, join }: Rewiring,
  changing: () => AbortSignal,
): Promise<void> {
  for (const name of leave) {
    await networks.disconnect(engine, name, id, changing())
    faultPoint('compute.detach.disconnected')
  }
  for (const { name, endpoint } of join) {
    await networks.connect(engine, name, id, endpoint, changing())
    faultPoint('compute.attach.connected')
  }
}
