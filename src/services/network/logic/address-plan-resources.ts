import {
  flagColumn,
  integerColumn,
  ownerAttributes,
  type Resource,
  standardAttributes,
  textColumn,
} from './attributes.ts'
import * as is from './values.ts'

const id = { column: textColumn('id') }
const name = { post: true, put: true, default: '', parse: is.text(255), column: textColumn('name') }
const named = {
  post: true,
  put: true,
  required: true,
  column: textColumn('name'),
  parse: (value: unknown): string => {
    const text = is.text(255)(value)
    if (text.trim() === '') throw new is.Reason("'' Blank strings are not permitted")
    return text
  },
}
const description = { post: true, put: true, default: '', parse: is.text(255), column: textColumn('description') }
const shared = { post: true, default: false, parse: is.boolean, filter: true }
const ipVersion: is.Parse<4 | 6> = (value) => is.oneOf<4 | 6>(4, 6)(is.integer(0, 255)(value) as 4 | 6)

/** Source: Network API reference, "Address scopes". */
export const addressScope: Resource = {
  singular: 'address_scope',
  plural: 'address_scopes',
  attributes: {
    id,
    name: { ...name },
    ...ownerAttributes,
    shared: { ...shared, put: true },
    ip_version: { post: true, required: true, parse: ipVersion, column: integerColumn('ip_version') },
  },
}

const prefixLength = { post: true, put: true, parse: is.integer(0, 128) }

/** Source: Network API reference, "Subnet pools". */
export const subnetPool: Resource = {
  singular: 'subnetpool',
  plural: 'subnetpools',
  attributes: {
    id,
    name: named,
    ...ownerAttributes,
    prefixes: { post: true, put: true, required: true, parse: is.list(is.cidr, 'subnet') },
    default_quota: {
      post: true,
      put: true,
      parse: is.orNull(is.integer(0, 2_147_483_647)),
      column: integerColumn('default_quota'),
    },
    ip_version: { column: integerColumn('ip_version') },
    default_prefixlen: { ...prefixLength, column: integerColumn('default_prefixlen') },
    min_prefixlen: { ...prefixLength, column: integerColumn('min_prefixlen') },
    max_prefixlen: { ...prefixLength, column: integerColumn('max_prefixlen') },
    is_default: { post: true, put: true, default: false, parse: is.boolean, column: flagColumn('is_default') },
    shared,
    address_scope_id: {
      post: true,
      put: true,
      default: null,
      parse: is.orNull(is.uuid),
      column: textColumn('address_scope_id'),
    },
    description,
    tags: {},
    ...standardAttributes,
  },
}

const written: is.Parse<string> = (value) => {
  if (typeof value !== 'string' || !value.includes('/')) throw new is.Reason(`'${is.shown(value)}' is not a valid CIDR`)
  return is.cidr(value)
}
export const addressList = is.list(written, 'subnet')
/** To take one away, its bare address will do. */
export const addressesToRemove = is.list(
  (value) =>
    is.cidr(
      typeof value === 'string' && !value.includes('/')
        ? `${is.ipAddress(value)}/${value.includes(':') ? 128 : 32}`
        : value,
    ),
  'subnet',
)

/** Source: Network API reference, "Address groups". */
export const addressGroup: Resource = {
  singular: 'address_group',
  plural: 'address_groups',
  attributes: {
    id,
    name,
    description: { ...description, parse: is.text(1024) },
    ...ownerAttributes,
    addresses: { post: true, default: [], parse: addressList },
    shared: { filter: true },
    ...standardAttributes,
  },
}
