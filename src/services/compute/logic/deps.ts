import type { Bus } from '../../../platform/bus/bus.ts'
import type { Hosts } from '../../../platform/hosts/hosts.ts'
import type { Ground } from '../../../platform/service.ts'
import type { IdentityService } from '../../identity/index.ts'
import type { Bootable, ImageService } from '../../image/index.ts'
import type { NetworkService } from '../../network/index.ts'
import type { PlacementService } from '../../placement/index.ts'
import type { RegistryService } from '../../registry/index.ts'
import type { HostView } from './host-view.ts'
import type { ComputeQuotas } from './quotas.ts'

export type BootableImage = Bootable
export type { ComputeGroup, ComputeGroupRule, GuestNic, ServerPort } from '../../network/index.ts'
/** The NICs of a server to be. */
export type WantedPlugs = Parameters<NetworkService['checkNetworks']>[2]
export type WantedNetworks = WantedPlugs['networks']

/** What every part of compute's control side stands on. */
export interface Deps {
  readonly ground: Ground
  readonly bus: Bus
  readonly identity: Pick<IdentityService, 'mintToken' | 'projects'>
  readonly placement: PlacementService
  readonly image: Pick<ImageService, 'app' | 'name' | 'bootable' | 'createSnapshot' | 'fail' | 'remove' | 'uploadUrl'>
  readonly registry: Pick<RegistryService, 'pullToken'>
  readonly network: Pick<
    NetworkService,
    | 'app'
    | 'name'
    | 'plugServer'
    | 'checkNetworks'
    | 'unplugServer'
    | 'serverPorts'
    | 'guestNics'
    | 'computeGroups'
    | 'moveServer'
    | 'attachPort'
    | 'detachPort'
    | 'addServerAddress'
    | 'removeServerAddress'
  >
  readonly hosts: Hosts
  readonly quotas: ComputeQuotas
  /** What the operator tells every server; an empty object unless set. */
  readonly vendorData: unknown
  readonly hostView: HostView
}
