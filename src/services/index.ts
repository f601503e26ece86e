import type { Rules } from '../platform/auth/policy.ts'
import { checkOverrides } from '../platform/auth/policy-engine.ts'
import { markMigrations } from '../platform/db/marks.ts'
import type { Hosts } from '../platform/hosts/hosts.ts'
import { hostMigrations } from '../platform/hosts/tables.ts'
import type { Ground, Service, ServiceMigrations } from '../platform/service.ts'
import { type ComputeService, computeMigrations, computeRules, createCompute } from './compute/index.ts'
import {
  createIdentity,
  delegationRules,
  extensionRules,
  federationRules,
  type IdentityService,
  identityMigrations,
  identityRules,
} from './identity/index.ts'
import { createImage, type ImageService, imageMigrations, imageRules } from './image/index.ts'
import { createNetwork, type NetworkService, networkMigrations, networkRules } from './network/index.ts'
import { createPlacement, type PlacementService, placementMigrations, placementRules } from './placement/index.ts'
import { createRegistry, type RegistryService, registryMigrations } from './registry/index.ts'

/** From the ground up. The order is also the rule of who may import whom (`tools/arrows.ts` reads it here). */
export interface Services {
  readonly identity: IdentityService
  readonly placement: PlacementService
  readonly registry: RegistryService
  readonly image: ImageService
  readonly network: NetworkService
  readonly compute: ComputeService
}

export const migrations: readonly ServiceMigrations[] = [
  { service: 'marks', migrations: markMigrations },
  { service: 'hosts', migrations: hostMigrations },
  identityMigrations,
  placementMigrations,
  registryMigrations,
  imageMigrations,
  networkMigrations,
  computeMigrations,
]

/** What an override of the policy may name, or lead to. */
const everyRule: readonly Rules[] = [
  ...[identityRules, extensionRules, delegationRules, federationRules],
  ...[placementRules, imageRules, networkRules, computeRules],
]

/** Makes every service, each with those below it. Nothing listens and no loop runs yet. */
export async function createServices(ground: Ground, hosts: Hosts): Promise<Services> {
  checkOverrides(everyRule, ground.policyOverrides)
  const identity = await createIdentity(ground)
  const placement = createPlacement(ground, identity)
  const registry = await createRegistry(ground, identity)
  const image = await createImage(ground, identity, registry)
  const network = await createNetwork(ground, identity, hosts)
  const compute = await createCompute(ground, { identity, placement, registry, image, network, hosts })
  image.usedBy(compute.imagesInUse)
  return { identity, placement, registry, image, network, compute }
}

/** In the order of `Services`. */
export const listed = (services: Services): readonly Service[] => [
  services.identity,
  services.placement,
  services.registry,
  services.image,
  services.network,
  services.compute,
  services.compute.metadata,
  services.compute.console,
]
