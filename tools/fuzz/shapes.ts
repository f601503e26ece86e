import type { ListedRoute } from '../../src/platform/http/app.ts'
import { microversion } from '../../src/platform/http/microversions.ts'
import * as networkResources from '../../src/services/network/logic/resources.ts'
import type { Chance } from './chance.ts'
import type { Values } from './values.ts'

interface NetworkResource {
  singular: string
  plural: string
  attributes: Readonly<Record<string, { post?: boolean; put?: boolean; required?: boolean }>>
}

/** What the Network service takes is no JSON schema: its own tables say it. */
const resources = Object.values(networkResources as Readonly<Record<string, unknown>>).filter(
  (each): each is NetworkResource => typeof each === 'object' && each !== null && 'attributes' in each,
)

/** One body key of `POST /servers/{id}/action` with values that might do. */
const actions: Readonly<Record<string, unknown>> = {
  ...{ 'os-start': null, 'os-stop': null, pause: null, unpause: null, suspend: null, resume: null, lock: null },
  ...{ unlock: null, shelve: null, shelveOffload: null, unshelve: null, confirmResize: null, revertResize: null },
  ...{ reboot: { type: 'SOFT' }, createImage: { name: 'snap' }, 'os-getConsoleOutput': { length: 5 }, rescue: null },
  ...{ addSecurityGroup: { name: 'default' }, removeSecurityGroup: { name: 'default' }, resize: { flavorRef: '2' } },
  ...{ rebuild: { imageRef: '11111111-2222-3333-4444-555555555555' }, changePassword: { adminPass: 'x' } },
  ...{ createBackup: { name: 'b', backup_type: 'daily', rotation: 1 }, 'os-resetState': { state: 'active' } },
  ...{ forceDelete: null, restore: null, trigger_crash_dump: null, resetNetwork: null, injectNetworkInfo: null },
  ...{ 'os-getVNCConsole': { type: 'novnc' }, evacuate: { onSharedStorage: 'False' }, migrate: null },
  ...{ 'os-migrateLive': { host: null, block_migration: 'auto', disk_over_commit: false }, unrescue: null },
}

/** A body that the route may take, as far as is known; undefined for one that takes none. */
export function bodyFor(route: ListedRoute, at: string, values: Values, chance: Chance): unknown {
  if (route.method === 'POST' && route.url.endsWith('/servers') && chance.sometimes(0.5)) {
    const networks = [{ uuid: values.text('network_id') }]
    return { server: { name: values.text('name'), imageRef: values.text('image_id'), flavorRef: '1', networks } }
  }
  if (route.body !== undefined) return values.of(route.body, 'body')
  const schemas = route.bodies?.(microversion(at)) ?? []
  if (schemas.length > 0) return values.of(chance.one(schemas), 'body')
  if (route.method === 'GET' || route.method === 'HEAD' || route.method === 'DELETE') return undefined
  if (route.url.endsWith('/servers/:id/action')) {
    const name = chance.one(Object.keys(actions))
    return { [name]: actions[name] ?? null }
  }
  if (route.url.startsWith('/v2.0/')) return networkBody(route, values, chance)
  if (route.method === 'PATCH' && route.url.startsWith('/v2/images/')) {
    const path = `/${chance.one(['name', 'tags', 'visibility', 'min_disk', 'os_hidden', 'x', 'checksum', 'id', ''])}`
    return [{ op: chance.one(['add', 'replace', 'remove', 'move']), path, value: values.named(path.slice(1)) }]
  }
  return chance.sometimes(0.5) ? undefined : { [values.text('name')]: values.named('name') }
}

function networkBody(route: ListedRoute, values: Values, chance: Chance): unknown {
  const [, , path = ''] = route.url.split('/')
  const resource = resources.find(({ plural }) => plural === path.replaceAll('-', '_'))
  if (!resource || route.url.split('/').length > 4) {
    const keys = ['router_id', 'subnet_id', 'port_id', 'network', 'subnet', 'tags', 'quota']
    const made = Object.fromEntries(keys.filter(() => chance.sometimes(0.3)).map((key) => [key, values.named(key)]))
    return chance.sometimes(0.5) ? made : { [path.replace(/s$/, '').replaceAll('-', '_')]: made }
  }
  const make = () =>
    Object.fromEntries(
      Object.entries(resource.attributes)
        .filter(([, { post, put, required }]) =>
          route.method === 'POST'
            ? required || chance.sometimes(post ? 0.2 : 0.005)
            : chance.sometimes(put ? 0.2 : 0.005),
        )
        .map(([key]) => [key, values.named(key)]),
    )
  const many = route.method === 'POST' && chance.sometimes(0.1)
  return many ? { [resource.plural]: [make(), make()] } : { [resource.singular]: make() }
}
