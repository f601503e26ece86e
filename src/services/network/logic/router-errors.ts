import { CloudError } from '../../../platform/errors.ts'
import { badRequest, conflict } from './errors.ts'
import type { Route } from './router-resources.ts'

const missing = (type: string, message: string) => new CloudError('notFound', message, { type })

export const routerNotFound = (id: string) => missing('RouterNotFound', `Router ${id} could not be found`)
export const floatingIpNotFound = (id: string) => missing('FloatingIPNotFound', `Floating IP ${id} could not be found`)
export const routerInUse = (id: string, reason = 'still has ports') => conflict('RouterInUse', `Router ${id} ${reason}`)

/** Neutron's plain refusal, which names the resource. */
export const badRouter = (message: string) => badRequest('BadRequest', `Bad router request: ${message}.`)
export const badFloatingIp = (message: string) => badRequest('BadRequest', `Bad floatingip request: ${message}.`)

export const interfaceNotFound = (routerId: string, portId: string) =>
  missing('RouterInterfaceNotFound', `Router ${routerId} does not have an interface with id ${portId}`)
export const interfaceNotFoundForSubnet = (routerId: string, subnetId: string) =>
  missing('RouterInterfaceNotFoundForSubnet', `Router ${routerId} has no interface on subnet ${subnetId}`)
export const interfaceInUseByFloatingIp = (routerId: string, subnetId: string) =>
  conflict(
    'RouterInterfaceInUseByFloatingIP',
    `Router interface for subnet ${subnetId} on router ${routerId} cannot be deleted, as it is required by one or ` +
      'more floating IPs.',
  )
export const interfaceInUseByRoute = (routerId: string, subnetId: string) =>
  conflict(
    'RouterInterfaceInUseByRoute',
    `Router interface for subnet ${subnetId} on router ${routerId} cannot be deleted, as it is required by one or ` +
      'more routes.',
  )
export const gatewayInUse = (routerId: string, networkId: string) =>
  conflict(
    'RouterExternalGatewayInUseByFloatingIp',
    `Gateway cannot be updated for router ${routerId}, since a gateway to external network ${networkId} is required ` +
      'by one or more floating IPs.',
  )
export const notReachable = (networkId: string, subnetId: string, portId: string) =>
  missing(
    'ExternalGatewayForFloatingIPNotFound',
    `External network ${networkId} is not reachable from subnet ${subnetId}.  Therefore, cannot associate Port ` +
      `${portId} with a Floating IP.`,
  )
export const portHasDevice = (port: { id: string; network_id: string; device_id: string }) =>
  conflict(
    'PortInUse',
    `Unable to complete operation on port ${port.id} for network ${port.network_id}. Port already has an attached ` +
      `device ${port.device_id}.`,
  )
export const servicePort = (portId: string, owner: string) =>
  conflict('ServicePortInUse', `Port ${portId} cannot be deleted directly via the port API: has device owner ${owner}.`)
export const foreignDevice = (deviceId: string) =>
  conflict(
    'DeviceIDNotOwnedByTenant',
    `The following device_id ${deviceId} is not owned by your tenant or matches another tenants router.`,
  )
export const invalidRoutes = (routes: readonly Route[], reason: string) =>
  badRequest('InvalidRoutes', `Invalid format for routes: ${JSON.stringify(routes)}, ${reason}`)
export const tooManyRoutes = (routerId: string, most: number) =>
  badRequest(
    'RoutesExhausted',
    `Unable to complete operation for ${routerId}. The number of routes exceeds the maximum ${most}.`,
  )
