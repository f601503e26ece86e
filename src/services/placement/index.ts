import { scoped } from '../../platform/auth/policy.ts'
import { createPolicy } from '../../platform/auth/policy-engine.ts'
import { urlOf } from '../../platform/config.ts'
import type { Db, Trx } from '../../platform/db/database.ts'
import { createApp } from '../../platform/http/app.ts'
import { newId } from '../../platform/ids.ts'
import type { Ground, Service, ServiceMigrations } from '../../platform/service.ts'
import type { IdentityService } from '../identity/index.ts'
import * as allocations from './db/allocations.ts'
import * as inventories from './db/inventories.ts'
import { migrations } from './db/migrations/index.ts'
import * as providerRows from './db/providers.ts'
import {
  type Claim,
  type Claimed,
  claim,
  lacks,
  type Owner,
  type Refusal,
  type Resources,
  takeOn,
} from './logic/claims.ts'
import { type HostRoom, View } from './logic/view.ts'
import { rules } from './policy.ts'
import { placementFault } from './routes/fault.ts'
import { routes } from './routes/index.ts'
import { versions } from './versions.ts'
import './db/tables.ts'

export type { Inventory, Provider, ResourceClass, Room } from './db/inventories.ts'
export type { Claimed, Refusal, Resources } from './logic/claims.ts'
export type { HostRoom } from './logic/view.ts'
export { rules as placementRules } from './policy.ts'

export const placementMigrations: ServiceMigrations = { service: 'placement', migrations }

/** Who has how much of what, and who holds it. */
export interface PlacementService extends Service {
  /** In the consumers' own transaction: takes room for them, or says per host what was lacking. */
  claim(trx: Trx, wanted: Omit<Claim, 'at'>): Promise<Claimed>
  /** The hosts' room as last seen, without a query as a rule; `fresh` reads it anew. */
  rooms(trx: Trx, how?: 'fresh'): Promise<ReadonlyMap<string, HostRoom>>
  /** Takes room for one consumer on one host; false when there is not so much, whatever the view said. */
  take(trx: Trx, host: HostRoom, consumer: Owner & { id: string; resources: Resources }): Promise<boolean>
  /** What a host lacks for so much more. */
  lacks(host: HostRoom, resources: Resources): Refusal[]
  /** Gives back all that a consumer holds. Repeatable. */
  release(trx: Trx, consumerId: string): Promise<void>
  /** What is held by a project's consumers, or by all, by resource class. */
  usages(db: Db, projectId?: string): Promise<Map<string, number>>
  /** Every host's resources, or the named hosts', with one query. */
  providers(db: Db, hosts?: readonly string[]): Promise<inventories.Provider[]>
  /** Records what a host has, under `id` when it is new. Repeatable, and writes only when something changed. */
  recordHost(host: string, has: ReadonlyMap<string, inventories.Inventory>, id?: string): Promise<void>
  /** Puts a host into an aggregate or takes it out; nothing for a host that has told nothing yet. */
  setAggregate(trx: Trx, host: string, aggregateId: string, member: boolean): Promise<void>
}

/** Placement API v1 and the claims behind it. Source: Placement API reference and documentation. */
export function createPlacement(ground: Ground, identity: Pick<IdentityService, 'authenticate'>): PlacementService {
  const { database, clock, config } = ground
  const view = new View(() => clock.nowMs())
  const app = createApp({
    service: 'placement',
    dialect: placementFault,
    policy: createPolicy([scoped(['system', 'project'], rules)], ground.policyOverrides, config),
    authenticate: identity.authenticate,
    identityUrl: `${urlOf(config, 'identity')}/v3`,
    log: ground.log,
    microversions: versions,
    bodyLimit: 1_048_576,
  })
  routes(app, { database, clock })
  app.addHook('onResponse', async ({ method }) => {
    if (method !== 'GET' && method !== 'HEAD') view.forget()
  })
  return {
    name: 'placement',
    app,
    loops: [],
    claim: (trx, wanted) => claim(view, trx, { ...wanted, at: clock.now() }),
    async rooms(trx, how) {
      if (how === 'fresh') await view.refresh(trx)
      return await view.hosts(trx)
    },
    take: (trx, host, consumer) => takeOn(view, trx, host, { ...consumer, at: clock.now() }),
    lacks,
    async release(trx, consumerId) {
      for (const held of await allocations.remove(trx, consumerId)) {
        view.shift(held.provider_id, held.resource_class, -held.used)
      }
    },
    usages: allocations.usages,
    providers: inventories.list,
    async recordHost(host, has, id = newId()) {
      const [known] = await inventories.list(database.read, [host])
      const ratios = await inventories.defaultRatios(database.read, host)
      const same = ([name, wanted]: [string, inventories.Inventory]) => {
        const room = known?.rooms.get(name)
        const asWanted = room && room.total === wanted.total && room.reserved === wanted.reserved
        return asWanted && ratios.get(name) === wanted.allocationRatio
      }
      if (known && [...has].every(same)) return
      await database.write((trx) => inventories.put(trx, { id, name: host, at: clock.now(), inventories: has }))
      view.forget()
    },
    async setAggregate(trx, host, aggregateId, member) {
      const provider = await providerRows.findNamed(trx, host)
      if (!provider) return
      const others = ((await providerRows.aggregates(trx, [provider.id])).get(provider.id) ?? []).filter(
        (each) => each !== aggregateId,
      )
      await providerRows.setAggregates(trx, provider.id, member ? [...others, aggregateId] : others)
      await providerRows.bump(trx, [provider.id], clock.now())
    },
  }
}
