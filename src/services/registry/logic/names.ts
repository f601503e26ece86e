import type { Context } from '../../../platform/auth/context.ts'
import type { Deps, Owner } from './deps.ts'

/** A repository as the outside names it, and as rows do. */
export interface Repository {
  /** As the client wrote it. */
  path: string
  owner: Owner
  /** Without the owner. */
  name: string
  /** `<project id>/<name>` or `library/<name>`: a project may be renamed, and two domains may each have a `dev`. */
  key: string
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const pattern = new RegExp(`^${component}(?:/${component})*$`)

/** Source: OCI distribution specification 1.1, "Pulling manifests"; the length is what clients accept. */
export const isName = (path: string): boolean => path.length <= 255 && pattern.test(path)

export const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

/** What images are pulled from by id; no project's. */
export const isImageRepository = (path: string): boolean =>
  /^images\/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(path)

const library = 'library'

/**
 * `<project's name or id>/<name>`; `library/<name>`, also without `library/`. Of several projects of one name the
 * caller's own is meant, then the one of the default domain. Null when there is no such project.
 */
export async function locate(
  deps: Pick<Deps, 'database' | 'identity'>,
  ctx: Context,
  path: string,
): Promise<Repository | null> {
  const slash = path.indexOf('/')
  if (slash < 0) return { path, owner: null, name: path, key: `${library}/${path}` }
  const first = path.slice(0, slash)
  const name = path.slice(slash + 1)
  if (first === library) return { path, owner: null, name, key: path }
  const id = await projectIdOf(deps, ctx, first)
  return id === null ? null : { path, owner: id, name, key: `${id}/${name}` }
}

async function projectIdOf(
  { database, identity }: Pick<Deps, 'database' | 'identity'>,
  ctx: Context,
  first: string,
): Promise<string | null> {
  if (first === ctx.projectId || (first === ctx.projectName && ctx.projectId)) return ctx.projectId
  const byId = await identity.projects.find(database.read, first)
  if (byId && !byId.isDomain) return byId.id
  const named = await identity.projects.named(database.read, first)
  return (named.find((project) => project.domainId === 'default') ?? named[0])?.id ?? null
}
