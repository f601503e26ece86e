import type { FastifyRequest } from 'fastify'
import type { SortKey } from '../../../platform/db/paging.ts'
import { regexp } from '../../../platform/db/regexp.ts'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import * as serverList from '../db/server-list.ts'
import type { Server } from '../db/servers.ts'
import * as serverRows from '../db/servers.ts'
import type { ServersTable } from '../db/tables.ts'
import { serversByAddress } from '../logic/addresses.ts'
import type { Deps } from '../logic/deps.ts'
import { statesOfStatus } from '../logic/states.ts'
import { all, isTrue, last, paging, type Query, queryOf, since, timeOf } from './common.ts'
import { mayAll } from './server-view.ts'

type Column = keyof ServersTable

/** Query parameter → column compared exactly. */
const exact: Readonly<Record<string, Column>> = {
  image: 'image_id',
  image_ref: 'image_id',
  user_id: 'user_id',
  uuid: 'id',
  flavor: 'flavor_id',
  host: 'host',
  reservation_id: 'reservation_id',
  launch_index: 'launch_index',
  progress: 'progress',
  power_state: 'power_state',
  vm_state: 'vm_state',
  task_state: 'task_state',
}
/** Query parameter → column searched with a regular expression. */
const matched: Readonly<Record<string, Column>> = {
  name: 'name',
  display_name: 'name',
  hostname: 'hostname',
  description: 'description',
  display_description: 'description',
  node: 'host',
  key_name: 'key_name',
  availability_zone: 'availability_zone',
  locked_by: 'locked_by',
  access_ip_v4: 'access_ip_v4',
  access_ip_v6: 'access_ip_v6',
  created_at: 'created_at',
  launched_at: 'launched_at',
  terminated_at: 'deleted_at',
}
const open = ['reservation_id', 'name', 'status', 'image', 'flavor', 'ip', 'changes-since', 'all_tenants']
/** What others than administrators may filter by, and since when. The rest is passed over, as upstream does. */
const openSince: readonly (readonly [string, readonly string[]])[] = [
  ['2.1', open],
  ['2.5', ['ip6']],
  ['2.26', ['tags', 'tags-any', 'not-tags', 'not-tags-any']],
  ['2.66', ['changes-before']],
  ['2.73', ['locked']],
  [
    '2.83',
    'availability_zone config_drive key_name created_at launched_at terminated_at power_state task_state vm_state progress user_id'.split(
      ' ',
    ),
  ],
]
/** Known, but about what a container has not: nothing has it, or everything. */
const vacant = new Set('kernel_id ramdisk_id root_device_name auto_disk_config soft_deleted'.split(' '))
const special =
  'status deleted changes-since changes-before ip ip6 tags tags-any not-tags not-tags-any locked metadata config_drive all_tenants tenant_id project_id sort_key sort_dir limit marker'
const known = new Set([...special.split(' '), ...Object.keys(exact), ...Object.keys(matched), ...vacant])
const joined = new Set(
  'block_device_mapping services system_metadata info_cache security_groups pci_devices'.split(' '),
)

const sortable: Readonly<Record<string, Column>> = {
  access_ip_v4: 'access_ip_v4',
  access_ip_v6: 'access_ip_v6',
  auto_disk_config: 'disk_config',
  availability_zone: 'availability_zone',
  config_drive: 'config_drive',
  created_at: 'created_at',
  display_description: 'description',
  display_name: 'name',
  host: 'host',
  hostname: 'hostname',
  image_ref: 'image_id',
  instance_type_id: 'flavor_id',
  key_name: 'key_name',
  launch_index: 'launch_index',
  launched_at: 'launched_at',
  locked: 'locked_by',
  locked_by: 'locked_by',
  node: 'host',
  power_state: 'power_state',
  progress: 'progress',
  project_id: 'project_id',
  task_state: 'task_state',
  terminated_at: 'deleted_at',
  updated_at: 'updated_at',
  user_id: 'user_id',
  uuid: 'id',
  vm_state: 'vm_state',
}
const nullable = new Set<Column>([
  ...(['access_ip_v4', 'access_ip_v6', 'availability_zone', 'description', 'host', 'key_name'] as const),
  ...(['launched_at', 'locked_by', 'task_state', 'deleted_at'] as const),
])
/** Upstream once took these, sorts by none of them, and from 2.75 refuses them. */
const ignoredSortKeys = new Set(
  'architecture cell_name cleaned default_ephemeral_device default_swap_device deleted deleted_at disable_terminate ephemeral_gb ephemeral_key_uuid id key_data launched_on locked memory_mb os_type reservation_id root_gb shutdown_terminate user_data vcpus vm_mode kernel_id ramdisk_id root_device_name'.split(
    ' ',
  ),
)

/**
 * A page of servers as the query asks for. `more`: there are servers after it.
 * Source: Compute API reference, "List Servers"; Compute API guide, "Filtering".
 */
export async function listServers(
  deps: Deps,
  request: FastifyRequest,
  allTenantsRule: string,
): Promise<{ page: Server[]; more: boolean }> {
  const asked = queryOf(request)
  checkNames(request, asked)
  const query = allowed(request, asked)
  const { limit, marker, linked } = paging(asked)
  const states = statesOf(request, query)
  if (states === 'none') return { page: [], more: false }
  const { read } = deps.ground.database
  const ids = await idsByAddress(deps, request, query)
  const wanted: serverList.ServerQuery = {
    ...scopeOf(request, query, allTenantsRule),
    ...deletedOf(request, query, states.vmStates?.join() === 'deleted'),
    ...filtersOf(query),
    ...states,
    locked: last(query, 'locked') === undefined ? null : isTrue(last(query, 'locked')),
    changesSince: timeOf(query, 'changes-since'),
    changesBefore: timeOf(query, 'changes-before'),
    metadata: metadataOf(query),
    tags: tagsOf(query),
    ids,
    sortKeys: sortKeysOf(request, asked),
    limit: limit + 1,
    marker: marker === null ? null : await markerServer(deps, marker),
  }
  if (wanted.changesSince && wanted.changesBefore && wanted.changesBefore < wanted.changesSince) {
    throw new CloudError('badRequest', 'The value of changes-since must be less than or equal to changes-before.')
  }
  const found = await serverList.list(read, wanted)
  return { page: found.slice(0, limit), more: linked && found.length > limit }
}

async function markerServer(deps: Deps, marker: string): Promise<Server> {
  const server = await serverRows.findEvenDeleted(deps.ground.database.read, marker)
  if (!server) throw new CloudError('badRequest', `marker [${marker}] not found`)
  return server
}

function checkNames(request: FastifyRequest, query: Query): void {
  for (const name of Object.keys(query)) {
    if (name.startsWith('_') || joined.has(name)) throw new CloudError('badRequest', `Invalid filter field: ${name}.`)
    if (since(request, '2.75') && !known.has(name)) {
      throw new CloudError(
        'badRequest',
        `Invalid input for query parameters ${name}. Additional properties are not allowed ('${name}' was unexpected)`,
      )
    }
  }
}

/** Only the filters that the caller may use. */
function allowed(request: FastifyRequest, query: Query): Query {
  if (mayAll(request, 'os_compute_api:servers:allow_all_filters')) return query
  const names = new Set(openSince.flatMap(([version, filters]) => (since(request, version) ? filters : [])))
  return Object.fromEntries(Object.entries(query).filter(([name]) => names.has(name)))
}

function scopeOf(request: FastifyRequest, query: Query, allTenantsRule: string): { projectId: string | null } {
  const text = last(query, 'all_tenants')
  if (text !== undefined && text !== '' && !/^(t|true|1|on|y|yes|f|false|0|off|n|no)$/i.test(text)) {
    throw new CloudError('badRequest', `Invalid value '${text}' for all_tenants; it must be a boolean.`)
  }
  // The bare parameter means yes.
  if (text === undefined || (text !== '' && !isTrue(text))) return { projectId: request.ctx.projectId ?? '' }
  request.enforce({ project_id: request.ctx.projectId, user_id: request.ctx.userId }, allTenantsRule)
  return { projectId: last(query, 'project_id') ?? last(query, 'tenant_id') ?? null }
}

function deletedOf(request: FastifyRequest, query: Query, onlyDeleted: boolean): { deleted: boolean | null } {
  if (onlyDeleted) {
    if (request.ctx.isAdmin) return { deleted: true }
    throw new CloudError('forbidden', 'Only administrators may list deleted instances')
  }
  const text = last(query, 'deleted')
  if (text !== undefined) return { deleted: isTrue(text) }
  return { deleted: query['changes-since'] === undefined && query['changes-before'] === undefined ? false : null }
}

function statesOf(
  request: FastifyRequest,
  query: Query,
): Pick<serverList.ServerQuery, 'vmStates' | 'taskStates'> | 'none' {
  const statuses = all(query, 'status')
  if (statuses.length === 0) return { vmStates: null, taskStates: null }
  const states = statesOfStatus(statuses)
  if (states && states.vmStates.length > 0) return states
  if (states === null && since(request, '2.38')) throw new CloudError('badRequest', 'Invalid status value')
  return 'none'
}

function filtersOf(query: Query): Pick<serverList.ServerQuery, 'equal' | 'matches'> {
  const equal: Partial<Record<Column, (string | number | null)[]>> = {}
  const matches: Partial<Record<Column, string>> = {}
  for (const name of Object.keys(query)) {
    const column = exact[name]
    if (column) {
      const number = ['launch_index', 'progress', 'power_state'].includes(column)
      const values = all(query, name).map((value) => (number ? numberOf(name, value) : lastPart(name, value)))
      equal[column] = values.map((value) => (name === 'task_state' && value === 'None' ? null : value))
    }
    const searched = matched[name]
    const pattern = last(query, name)
    if (searched && pattern !== undefined) matches[searched] = checkedExpression(name, pattern)
  }
  const drive = last(query, 'config_drive')
  if (drive !== undefined) equal.config_drive = [isTrue(drive) ? 1 : 0]
  return { equal, matches }
}

/** An image or flavor may be given as its whole URL. */
const lastPart = (name: string, value: string): string =>
  name === 'image' || name === 'flavor' ? value.split('/').at(-1)! : value

function numberOf(name: string, value: string): number {
  if (/^-?\d+$/.test(value)) return Number(value)
  throw new CloudError('badRequest', `Invalid filter field: ${name}. ${value} is not a number.`)
}

function metadataOf(query: Query): Record<string, string> {
  const text = last(query, 'metadata')
  if (text === undefined) return {}
  try {
    const value: unknown = JSON.parse(text.replaceAll("'", '"'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]))
    }
  } catch {
    // Said below, with what was there.
  }
  throw new CloudError('badRequest', `Invalid filter field: metadata. ${text} is not a JSON object.`)
}

function tagsOf(query: Query): serverList.ServerQuery['tags'] {
  const list = (name: string) => (last(query, name) ?? '').split(',').filter((tag) => tag !== '')
  return { all: list('tags'), any: list('tags-any'), notAll: list('not-tags'), notAny: list('not-tags-any') }
}

function sortKeysOf(request: FastifyRequest, query: Query): SortKey<Column>[] {
  const names = all(query, 'sort_key').map((name) => name.trim())
  const directions = all(query, 'sort_dir').map((direction) => direction.trim())
  for (const direction of directions) {
    if (direction !== 'asc' && direction !== 'desc') {
      throw new CloudError('badRequest', `Unknown sort direction, must be one of: asc, desc`)
    }
  }
  const keys: SortKey<Column>[] = []
  for (const [i, name] of (names.length > 0 ? names : ['created_at']).entries()) {
    const ignored = ignoredSortKeys.has(name) && !(name === 'locked' && since(request, '2.73'))
    if (ignored && !since(request, '2.75')) continue
    const column = ignored ? undefined : sortable[name]
    if (!column) throw new CloudError('badRequest', `Invalid input for query parameters sort_key. Value: ${name}.`)
    // Only administrators may learn anything about hosts, even their order.
    if (column === 'host' && !request.ctx.isAdmin) continue
    const direction = (directions[i] ?? directions[0] ?? 'desc') as 'asc' | 'desc'
    keys.push({ column, direction, nullable: nullable.has(column) })
  }
  return keys.length > 0 ? keys : [{ column: 'created_at', direction: 'desc' }]
}

/** Servers with an address that a regular expression finds; null when none is asked for. */
async function idsByAddress(deps: Deps, request: FastifyRequest, query: Query): Promise<string[] | null> {
  const expressions = [
    { text: last(query, 'ip'), version: 4 as const },
    { text: last(query, 'ip6'), version: 6 as const },
  ].flatMap(({ text, version }) => (text === undefined ? [] : { text: checkedExpression('ip', text), version }))
  if (expressions.length === 0) return null
  const scope = last(query, 'all_tenants') === undefined ? (request.ctx.projectId ?? '') : null
  return await serversByAddress(deps, deps.ground.database.read, scope, expressions)
}

/** @throws CloudError `badRequest` */
function checkedExpression(name: string, text: string): string {
  try {
    regexp(text)
    return text
  } catch (error) {
    throw new CloudError('badRequest', `Invalid input for query parameters ${name}. ${messageOf(error)}`)
  }
}
