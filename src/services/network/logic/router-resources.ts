import { flagColumn, ownerAttributes, type Resource, standardAttributes, textColumn } from './attributes.ts'
import * as is from './values.ts'

/** What a router's way out is asked to be. */
export interface GatewayWish {
  network_id: string
  enable_snat?: boolean
  external_fixed_ips?: { subnet_id?: string; ip_address?: string }[]
}

export interface Route {
  destination: string
  nexthop: string
}

const name = { post: true, put: true, default: '', parse: is.text(255), column: textColumn('name') }
const description = { post: true, put: true, default: '', parse: is.text(255), column: textColumn('description') }
const id = { column: textColumn('id') }

const fixedIp = is.record<{ subnet_id?: string; ip_address?: string }>(
  'fixed IP',
  { subnet_id: is.uuid, ip_address: is.ipAddress },
  [],
)
const wholeGateway = is.record<GatewayWish>(
  'gateway',
  {
    network_id: is.uuid,
    enable_snat: is.boolean,
    external_fixed_ips: is.nullAsEmpty(is.list(fixedIp, 'fixed IP')),
  },
  ['network_id'],
)
/** An empty object asks for no gateway, as null does. */
const gateway: is.Parse<GatewayWish | null> = (value) =>
  value === null || (typeof value === 'object' && Object.keys(value).length === 0) ? null : wholeGateway(value)

const route = is.record<Route>('route', { destination: is.cidr, nexthop: is.ipAddress }, ['destination', 'nexthop'])
export const routeList = is.nullAsEmpty(
  is.distinct(is.list(route, 'hostroute'), (r) => `${r.destination} via ${r.nexthop}`, 'Duplicate hostroute'),
)

/** Neither highly available nor distributed: only that can be asked for. */
const never: is.Parse<false> = (value) => {
  if (is.boolean(value)) throw new is.Reason("'True' is not in ['False']")
  return false
}

/** Source: Network API reference, "Routers". */
export const router: Resource = {
  singular: 'router',
  plural: 'routers',
  attributes: {
    id,
    name,
    ...ownerAttributes,
    admin_state_up: {
      post: true,
      put: true,
      default: true,
      parse: is.boolean,
      column: flagColumn('admin_state_up'),
    },
    status: { column: textColumn('status') },
    external_gateway_info: { post: true, put: true, default: null, parse: gateway },
    description,
    availability_zones: {},
    availability_zone_hints: { post: true, default: [], parse: is.list(is.text(255), 'availability zone') },
    routes: { put: true, parse: routeList },
    flavor_id: {},
    ha: { post: true, put: true, default: false, parse: never },
    distributed: { post: true, put: true, default: false, parse: never },
    tags: {},
    ...standardAttributes,
  },
}

/** Source: Network API reference, "Floating IPs". */
export const floatingIp: Resource = {
  singular: 'floatingip',
  plural: 'floatingips',
  attributes: {
    id,
    ...ownerAttributes,
    floating_ip_address: {
      post: true,
      default: null,
      parse: is.orNull(is.ipAddress),
      column: textColumn('floating_ip_address'),
    },
    subnet_id: { post: true, default: null, parse: is.orNull(is.uuid) },
    floating_network_id: { post: true, required: true, parse: is.uuid, column: textColumn('floating_network_id') },
    router_id: { column: textColumn('router_id') },
    port_id: { post: true, put: true, parse: is.orNull(is.uuid), column: textColumn('port_id') },
    fixed_ip_address: {
      post: true,
      put: true,
      parse: is.orNull(is.ipAddress),
      column: textColumn('fixed_ip_address'),
    },
    status: { column: textColumn('status') },
    description,
    port_details: {},
    port_forwardings: {},
    tags: {},
    ...standardAttributes,
  },
}
