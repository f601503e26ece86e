import type { App } from '../../../platform/http/app.ts'
import { core, experimental, extensions, ownParameters, parameterNames } from './json-home-resources.ts'

const base = 'https://docs.openstack.org/api/openstack-identity/3'
const ofExtension = (name: string) => `${base}/ext/${name}/1.0`

/** A path with its parameters' names taken out, as routes and relations name them each in their own way. */
const shapeOf = (path: string): string => path.replace(/\{[^}]*\}|:\w+/g, '{}')

/**
 * What there is below `/v3`, for clients that follow relations: of all that Identity API v3 names, what this program
 * serves. `prefix` stands before each path. Source: draft-nottingham-json-home-03; Identity API reference, v3.
 */
export function jsonHome(app: App, prefix: '' | '/v3'): { resources: Record<string, object> } {
  const served = new Set(app.routeList.map(({ url }) => shapeOf(url)))
  const resources: Record<string, object> = {}
  const add = (relation: string, path: string, extension: string | null, status: string | null) => {
    if (!served.has(shapeOf(`/v3${path}`))) return
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
    const variables = Object.fromEntries(names.map((name) => [name, parameter(name, extension)]))
    resources[relation] = {
      ...(names.length === 0 ? { href: prefix + path } : { 'href-template': prefix + path, 'href-vars': variables }),
      ...(status === null ? {} : { hints: { status } }),
    }
  }
  for (const [name, path] of Object.entries(core))
    add(`${base}/rel/${name}`, path, null, experimental.has(name) ? 'experimental' : null)
  for (const [extension, relations] of Object.entries(extensions))
    for (const [name, path] of Object.entries(relations))
      add(`${ofExtension(extension)}/rel/${name}`, path, extension, null)
  return { resources }
}

function parameter(name: string, extension: string | null): string {
  const own = extension !== null && ownParameters[extension]?.includes(name)
  return own ? `${ofExtension(extension)}/param/${name}` : `${base}/param/${parameterNames[name] ?? name}`
}

/** Whether a client asks for JSON Home rather than for plain JSON. Source: RFC 9110 §12.5.1. */
export function wantsJsonHome(accept: string | undefined): boolean {
  const quality = (type: string): number => {
    const found = (accept ?? '')
      .split(',')
      .map((range) => range.trim().split(/\s*;\s*/))
      .find(([range]) => range === type)
    if (!found) return 0
    const q = found.find((part) => part.startsWith('q='))
    return q === undefined ? 1 : Number(q.slice(2)) || 0
  }
  return quality('application/json-home') > quality('application/json')
}
