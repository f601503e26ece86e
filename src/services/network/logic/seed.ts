import type { Trx } from '../../../platform/db/database.ts'
import { isMarked, mark } from '../../../platform/db/marks.ts'
import { formatIp, parseCidr } from './addresses.ts'
import { type Deps, loops } from './deps.ts'
import { insert as insertNetwork, type NewNetwork } from './networks.ts'
import { ensureDefault } from './security-groups.ts'
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
 * The networks of a new cloud: `public`, open to the machine and shared, and a private one for each project.
 * Repeatable: only the first time counts, so what was deleted since does not come back.
 */
export async function seed(deps: Deps, wishes: SeedWishes): Promise<void> {
  await deps.database.write(async (trx) => {
    if (await isMarked(trx, done)) return
    const { adminProjectId, demoProjectId, publicCidr } = wishes
    await addNetwork(trx, deps, { project_id: adminProjectId, name: 'public', external: true, cidr: publicCidr })
    // An administrator sees the networks of all projects, and clients refuse a name that two of them have.
    for (const [project_id, name] of [
      [adminProjectId, 'private'],
      [demoProjectId, 'demo-private'],
    ] as const) {
      if (project_id === null) continue
      await ensureDefault(trx, deps.clock, project_id)
      await addNetwork(trx, deps, { project_id, name, external: false, cidr: privateCidr })
    }
    await mark(trx, done, deps.clock.now())
  })
  deps.nudge(loops.networks)
}

async function addNetwork(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  { project_id, name, external, cidr }: { project_id: string; name: string; external: boolean; cidr: string },
): Promise<void> {
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
  await insertSubnet(trx, deps, {
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
  })
}
