import type { Trx } from '../../../platform/db/database.ts'
import { isMarked, mark } from '../../../platform/db/marks.ts'
import * as networkRows from '../db/networks.ts'
import * as poolRows from '../db/subnet-pools.ts'
import type { SubnetRow } from '../db/subnets.ts'
import { formatIp, parseCidr } from './addresses.ts'
import { type Deps, loops } from './deps.ts'
import { insert as insertNetwork, type NewNetwork } from './networks.ts'
import { addIn as addInterface } from './router-interfaces.ts'
import { insert as insertRouter } from './routers.ts'
import { ensureDefault } from './security-groups.ts'
import { setShared } from './sharing.ts'
import { newRow as newPoolRow } from './subnet-pools.ts'
import { insert as insertSubnet } from './subnets.ts'

export interface SeedWishes {
  adminProjectId: string
  /** null: no demo project. */
  demoProjectId: string | null
  /** `198.18.4.0/24`; its first host address is the machine's own on the network. */
  publicCidr: string
}

const privateCidr = '10.0.0.0/24'

const done = 'seed.network'

/**
 * The networks of a new cloud: `public`, open to the machine and shared, and a private one for each project with a router between.
 * Repeatable: only the first time counts, so what was deleted since does not come back.
 */
export async function seed(deps: Deps, wishes: SeedWishes): Promise<void> {
  await deps.database.write(async (trx) => {
    if (await isMarked(trx, done)) return
    const { adminProjectId, demoProjectId, publicCidr } = wishes
    const outside = await addNetwork(trx, deps, {
      ...{ project_id: adminProjectId, name: 'public', external: true, cidr: publicCidr },
    })
    // An administrator sees the networks of all projects, and clients refuse a name that two of them have.
    for (const [project_id, name, router] of [
      [adminProjectId, 'private', 'router'],
      [demoProjectId, 'demo-private', 'demo-router'],
    ] as const) {
      if (project_id === null) continue
      await ensureDefault(trx, deps.clock, project_id)
      const { subnet } = await addNetwork(trx, deps, { project_id, name, external: false, cidr: privateCidr })
      await addRouter(trx, deps, { project_id, name: router, subnetId: subnet.id, outsideId: outside.network.id })
    }
    await networkRows.update(trx, outside.network.id, { is_default: 1 })
    await addDefaultPool(trx, deps, adminProjectId)
    await mark(trx, done, deps.clock.now())
  })
  deps.nudge(loops.networks)
  deps.nudge(loops.routers)
}

/** What `get me a network` and subnets without a CIDR are made of. */
async function addDefaultPool(trx: Trx, deps: Pick<Deps, 'clock'>, project_id: string): Promise<void> {
  const pool = newPoolRow(
    {
      ...{ project_id, name: 'shared-default-subnetpool-v4', description: '', prefixes: ['10.64.0.0/10'] },
      ...{ default_prefixlen: 26, is_default: true, shared: true, address_scope_id: null },
    },
    deps.clock.now(),
  )
  await poolRows.insert(trx, pool)
  await setShared(trx, 'subnetpool', pool, true)
}

async function addRouter(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  wanted: { project_id: string; name: string; subnetId: string; outsideId: string },
): Promise<void> {
  const { project_id, name, subnetId, outsideId } = wanted
  const caller = { isAdmin: true, projectId: project_id }
  const external_gateway_info = { network_id: outsideId }
  const router = { project_id, name, description: '', admin_state_up: true, external_gateway_info }
  const { id } = await insertRouter(trx, deps, caller, router)
  await addInterface(trx, deps, caller, id, { subnet_id: subnetId })
}

async function addNetwork(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  { project_id, name, external, cidr }: { project_id: string; name: string; external: boolean; cidr: string },
): Promise<{ network: networkRows.NetworkRow; subnet: SubnetRow }> {
  const wanted: NewNetwork = {
    project_id,
    name,
    description: '',
    admin_state_up: true,
    shared: external,
    'router:external': external,
    port_security_enabled: true,
  }
  const network = await insertNetwork(trx, deps, wanted)
  const range = parseCidr(cidr)
  if (!range) throw new Error(`${cidr} is not a CIDR`)
  const subnet = await insertSubnet(
    trx,
    deps,
    { isAdmin: true, projectId: project_id },
    {
      project_id,
      network_id: network.id,
      name: `${name}-subnet`,
      description: '',
      ip_version: range.version,
      cidr: `${formatIp(range.version, range.first)}/${range.prefix}`,
      enable_dhcp: true,
      dns_nameservers: [],
      host_routes: [],
      ipv6_address_mode: null,
      ipv6_ra_mode: null,
    },
  )
  return { network, subnet }
}
