import type { ServiceName } from '../../src/platform/config.ts'
import type { ListedRoute } from '../../src/platform/http/app.ts'
import type { Chance } from './chance.ts'
import type { Pool } from './pool.ts'
import { bodyFor } from './shapes.ts'
import type { Values } from './values.ts'

export interface Wanted {
  service: ServiceName
  method: string
  path: string
  headers: Record<string, string>
  payload?: string
}

export type Who = 'admin' | 'demo' | 'nobody'

const queryNames = [
  ...['limit', 'marker', 'sort_key', 'sort_dir', 'sort', 'name', 'id', 'fields', 'status', 'all_tenants', 'enabled'],
  ...[
    'domain_id',
    'user.id',
    'scope.project.id',
    'effective',
    'include_names',
    'name__contains',
    'deleted',
    'host',
    'n',
  ],
  ...[
    'changes-since',
    'changes-before',
    'project_id',
    'tags',
    'tags-any',
    'tag',
    'not-tags',
    'page_reverse',
    'ip',
    'ip6',
  ],
  ...[
    'visibility',
    'member_status',
    'size_min',
    'created_at',
    'os_hidden',
    'protected',
    'fixed_ips',
    'device_id',
    'last',
  ],
  ...[
    'include_limits',
    'parents_as_list',
    'subtree_as_ids',
    'nocatalog',
    'allow_expired',
    'service',
    'scope',
    'account',
  ],
  ...[
    'digest',
    'mount',
    'from',
    'is_public',
    'minRam',
    'minDisk',
    'start',
    'end',
    'detailed',
    'user_id',
    'cidr',
    'binary',
  ],
]

/** Makes requests of a route. `guarded` are ids that no request may take away: the fuzzer's own users and projects. */
export function newRequests(chance: Chance, pool: Pool, values: Values, guarded: ReadonlySet<string>) {
  const idFor = (segment: string, name: string, safe: boolean): string => {
    for (let i = 0; i < 5; i++) {
      const known = pool.id(segment) ?? pool.id(name)
      if (known !== undefined && chance.sometimes(0.8) && !(safe && guarded.has(known))) return known
    }
    return chance.sometimes(0.5) ? '11111111-2222-3333-4444-555555555555' : values.text(name)
  }
  const pathFor = ({ url, method }: ListedRoute, service: ServiceName, own: string | null): string => {
    const safe = service === 'identity' && method !== 'GET' && method !== 'HEAD'
    const segments = url.split('/')
    return segments
      .map((segment, i) => {
        if (segment === '*') return registryPath()
        if (!segment.startsWith(':')) return segment
        if (segment === ':projectId' && own !== null && chance.sometimes(0.9)) return own
        const name = segment.slice(1).replace(/\(.*$/, '')
        const id = idFor(segments[i - 1] ?? '', name, safe)
        return chance.sometimes(0.02) ? id : encoded(id)
      })
      .join('/')
  }
  const registryPath = (): string => {
    const name = chance.one(['demo/a', 'admin/busybox', 'a/b/c', 'A', values.text('name')])
    const digest = `sha256:${chance.one(['a', '0', 'z']).repeat(64)}`
    const reference = chance.one([digest, 'latest', encoded(values.text('name'))])
    const uploads = ['blobs/uploads/', 'blobs/uploads/11111111-2222-3333-4444-555555555555']
    const rest = [...uploads, `blobs/${reference}`, `manifests/${reference}`, 'tags/list', `referrers/${digest}`, 'x']
    return `${name.split('/').map(encoded).join('/')}/${chance.one(rest)}`
  }
  const queryFor = (route: ListedRoute): string => {
    if (!chance.sometimes(route.method === 'GET' ? 0.6 : 0.1)) return ''
    const { properties } = (route.querystring ?? {}) as { properties?: Record<string, unknown> }
    const own = Object.keys(properties ?? {})
    const pairs = Array.from({ length: 1 + chance.below(3) }, () => {
      const name = own.length > 0 && chance.sometimes(0.7) ? chance.one(own) : chance.one(queryNames)
      if (chance.sometimes(0.05)) return name
      const value = properties?.[name] && chance.sometimes(0.5) ? values.of(properties[name], name) : values.text(name)
      return `${encoded(name)}=${chance.sometimes(0.02) ? '%ff' : encoded(String(value))}`
    })
    return `?${pairs.join('&')}`
  }
  return (
    service: ServiceName,
    route: ListedRoute,
    tokens: Readonly<Record<Who, string | null>>,
    projects: Readonly<Record<Who, string | null>>,
  ): Wanted => {
    const at = chance.sometimes(0.3) ? '2.1' : chance.sometimes(0.3) ? '2.93' : `2.${1 + chance.below(93)}`
    const roll = chance.next()
    const who: Who = roll < 0.65 ? 'admin' : roll < 0.95 ? 'demo' : 'nobody'
    const token = tokens[who]
    const headers: Record<string, string> = token === null ? {} : { 'x-auth-token': token }
    if (service === 'compute')
      headers['openstack-api-version'] = `compute ${chance.sometimes(0.02) ? values.text('v') : at}`
    if (/auth\/tokens/.test(route.url) && chance.sometimes(0.8)) headers['x-subject-token'] = tokens.demo ?? ''
    if (chance.sometimes(0.03))
      headers[chance.one(['range', 'accept', 'if-match', 'content-range', 'host', 'expect'])] = ascii(values.text('h'))
    if (chance.sometimes(0.01)) headers['x-auth-token'] = ascii(values.text('token'))
    const wanted: Wanted = {
      service,
      method: route.method,
      path: pathFor(route, service, projects[who]) + queryFor(route),
      headers,
    }
    let body = bodyFor(route, at, values, chance)
    if (chance.sometimes(0.02)) body = values.named('body')
    if (body === undefined) return wanted
    if (chance.sometimes(0.25)) body = values.spoilt(body)
    let payload = JSON.stringify(body) ?? ''
    if (chance.sometimes(0.02)) payload = payload.slice(0, chance.below(payload.length + 1))
    const type = Array.isArray(body) && service === 'image' ? 'openstack-images-v2.1-json-patch' : 'json'
    headers['content-type'] = chance.sometimes(0.02)
      ? chance.one(['text/plain', 'application/octet-stream', 'x', 'application/json; charset=utf-16'])
      : `application/${type}`
    return { ...wanted, payload }
  }
}

const encoded = (text: string): string => encodeURIComponent(text.toWellFormed())
/** What a header can carry. */
const ascii = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 2000)
