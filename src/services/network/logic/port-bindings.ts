import type { Db, Trx } from '../../../platform/db/database.ts'
import * as bindingRows from '../db/port-bindings.ts'
import * as portRows from '../db/ports.ts'
import { bind } from './bindings.ts'
import { type Deps, loops } from './deps.ts'
import { conflict, missing, portNotFound } from './errors.ts'

/** One binding of a port: that in force, or one prepared for the day it moves. */
export interface Binding {
  host: string
  vnic_type: string
  profile: Record<string, unknown>
  status: 'ACTIVE' | 'INACTIVE'
}

export interface BindingWish {
  host?: string
  vnic_type?: string
  profile?: Record<string, unknown> | null
}

const bindingNotFound = (portId: string, host: string) =>
  missing('PortBindingNotFound', `Binding for port ${portId} for host ${host} could not be found.`)
const exists = (portId: string, host: string) =>
  conflict('PortBindingAlreadyExists', `Binding for port ${portId} on host ${host} already exists.`)

/** Source: Network API reference, "Port bindings" (extension `binding-extended`). */
export async function list(db: Db, portId: string): Promise<Binding[]> {
  const port = await getPort(db, portId)
  const others = (await bindingRows.ofPort(db, portId)).filter((row) => row.host !== port.host)
  const inactive = others.map((row) => ({
    ...{ host: row.host, vnic_type: row.vnic_type, profile: JSON.parse(row.profile) as Record<string, unknown> },
    status: 'INACTIVE' as const,
  }))
  return port.host === null ? inactive : [active(port, port.host), ...inactive]
}

const active = (port: portRows.PortRow, host: string): Binding => ({
  ...{ host, vnic_type: port.vnic_type, profile: JSON.parse(port.binding_profile) as Record<string, unknown> },
  status: 'ACTIVE',
})

/** @throws CloudError `notFound` */
export async function get(db: Db, portId: string, host: string): Promise<Binding> {
  const found = (await list(db, portId)).find((one) => one.host === host)
  if (!found) throw bindingNotFound(portId, host)
  return found
}

/** The first binding of a port is in force at once. @throws CloudError `conflict` (PortBindingAlreadyExists) */
export async function create(deps: Deps, portId: string, wish: BindingWish & { host: string }): Promise<Binding> {
  const { host } = wish
  const made = await deps.database.write(async (trx) => {
    const port = await getPort(trx, portId)
    if ((await list(trx, portId)).some((one) => one.host === host)) throw exists(portId, host)
    if (port.host === null) {
      await describe(trx, portId, wish)
      await bind(trx, await getPort(trx, portId), host)
    } else await put(trx, portId, { host, vnic_type: wish.vnic_type ?? 'normal', profile: wish.profile ?? {} })
    return await get(trx, portId, host)
  })
  deps.nudge(loops.ports)
  return made
}

const put = (trx: Trx, portId: string, { host, vnic_type, profile }: Omit<Binding, 'status'>) =>
  bindingRows.put(trx, { port_id: portId, host, vnic_type, profile: JSON.stringify(profile) })

async function describe(trx: Trx, portId: string, wish: BindingWish): Promise<void> {
  await portRows.update(trx, portId, {
    ...(wish.vnic_type !== undefined && { vnic_type: wish.vnic_type }),
    ...(wish.profile !== undefined && { binding_profile: JSON.stringify(wish.profile ?? {}) }),
  })
}

export async function update(deps: Deps, portId: string, host: string, wish: BindingWish): Promise<Binding> {
  return await deps.database.write(async (trx) => {
    const before = await get(trx, portId, host)
    if (before.status === 'ACTIVE') await describe(trx, portId, wish)
    else {
      const next = { host, vnic_type: wish.vnic_type ?? before.vnic_type, profile: wish.profile ?? before.profile }
      await put(trx, portId, next)
    }
    return await get(trx, portId, host)
  })
}

/** The port moves there; where it was stays as an inactive binding. @throws CloudError */
export async function activate(deps: Deps, portId: string, host: string): Promise<Binding> {
  const done = await deps.database.write(async (trx) => {
    const binding = await get(trx, portId, host)
    if (binding.status === 'ACTIVE') {
      throw conflict('PortBindingAlreadyActive', `Binding for port ${portId} on host ${host} is already active.`)
    }
    const port = await getPort(trx, portId)
    if (port.host !== null) await put(trx, portId, active(port, port.host))
    await bindingRows.remove(trx, portId, host)
    await describe(trx, portId, binding)
    await bind(trx, await getPort(trx, portId), host)
    return await get(trx, portId, host)
  })
  deps.nudge(loops.ports)
  return done
}

/** @throws CloudError `notFound` */
export async function remove(deps: Deps, portId: string, host: string): Promise<void> {
  await deps.database.write(async (trx) => {
    const binding = await get(trx, portId, host)
    if (binding.status === 'ACTIVE') await bind(trx, await getPort(trx, portId), null)
    await bindingRows.remove(trx, portId, host)
  })
  deps.nudge(loops.ports)
}

async function getPort(db: Db, id: string): Promise<portRows.PortRow> {
  const port = await portRows.find(db, id)
  if (!port) throw portNotFound(id)
  return port
}
