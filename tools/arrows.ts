/**
 * `node tools/arrows.ts`: reads what every file under `src/` imports and fails on an arrow that points up, and on the
 * few other habits of the house that a pattern can see. The rules are in `docs/architecture.md`.
 */
import { globSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Path from the repository's root → text. */
export type Sources = ReadonlyMap<string, string>

export interface Place {
  floor: 'top' | 'services' | 'machine' | 'platform' | 'outside'
  /** Only on the floor of services; null for `services/index.ts` itself. */
  service: string | null
  /** The folder within a service; `door` is its `index.ts`, `hall` the other files beside that. `src/host.ts` is `host`, and `src/simulation.ts`. */
  room: string | null
}

const floors = ['outside', 'platform', 'machine', 'services', 'top'] as const

/** What each room of a service may import from the others. `machine` is reached from `host` and from `door` only. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  door: ['hall', 'routes', 'logic', 'db', 'reconcile', 'host'],
  routes: ['routes', 'logic', 'db', 'hall'],
  logic: ['logic', 'db', 'hall'],
  reconcile: ['reconcile', 'logic', 'db', 'hall'],
  host: ['host', 'hall'],
  db: ['db', 'hall'],
  hall: ['hall'],
  ui: ['ui'],
}

/** Every broken rule, one a line, `file: what is wrong`. `order` is the services from the ground up. */
export function check(sources: Sources, order: readonly string[]): string[] {
  const faults: string[] = []
  for (const [file, text] of sources) {
    const from = placeOf(file)
    const isTest = isTestFile(file)
    for (const specifier of importsOf(text)) {
      if (!specifier.startsWith('.')) continue
      const target = posix.normalize(posix.join(posix.dirname(file), specifier))
      const fault = testOnly(target, isTest) ?? faultOf(from, placeOf(target), order, isTest)
      if (fault) faults.push(`${file} → ${target}: ${fault}`)
    }
    if (!isTest) faults.push(...habits(file, from, text).map((fault) => `${file}: ${fault}`))
  }
  return faults
}

/** A test, or what tests beside it share: `test-….ts`. */
const isTestFile = (path: string): boolean => /\.test\.ts$|\/test-[^/]*\.ts$/.test(path)

const testOnly = (target: string, isTest: boolean): string | null =>
  isTestFile(target) && !isTest ? 'only tests import what is there for tests' : null

/** Null when the arrow is a good one. */
function faultOf(from: Place, to: Place, order: readonly string[], isTest: boolean): string | null {
  if (to.floor === 'outside') return isTest ? null : 'only tests import what is outside src/'
  if (floors.indexOf(to.floor) > floors.indexOf(from.floor)) return `${from.floor} may not know ${to.floor}`
  if (to.floor !== 'services') {
    const host = from.floor !== 'services' || from.room === 'host' || from.room === 'door'
    if (to.floor === 'machine' && !host && !isTest) return 'within a service only host/ reaches the machine'
    return from.room === 'ui' ? 'ui/ knows only the public APIs' : null
  }
  if (from.floor === 'top' || (from.floor === 'services' && from.service === null)) {
    // The program of a host takes the host rooms alone: a door would bring the routes and the SQL with it.
    const open = to.service === null || to.room === 'door' || isTest || (from.room === 'host' && to.room === 'host')
    return open ? null : `only the door of ${to.service} (its index.ts) is open`
  }
  if (to.service === null) return 'a service may not know the list of all'
  return from.service === to.service ? within(from, to, isTest) : between(from, to, order, isTest)
}

function within(from: Place, to: Place, isTest: boolean): string | null {
  if (isTest) return null // It may come in by the door, and look into any room of its own service.
  return rooms[from.room ?? '']?.includes(to.room ?? '') ? null : `${from.room} may not import ${to.room}`
}

function between(from: Place, to: Place, order: readonly string[], isTest: boolean): string | null {
  if (from.room === 'ui') return 'ui/ knows only the public APIs'
  if (to.room !== 'door') return `only the door of ${to.service} (its index.ts) is open`
  const [mine, theirs] = [order.indexOf(from.service ?? ''), order.indexOf(to.service ?? '')]
  if (isTest || (mine !== -1 && theirs !== -1 && theirs < mine)) return null
  return `${to.service} does not stand below ${from.service}; upward news is an event on the bus`
}

/** What must not stand in a file, wherever it points. */
function habits(file: string, place: Place, text: string): string[] {
  const code = withoutComments(text)
  const faults: string[] = []
  if (file !== 'src/config.ts' && /\bprocess\s*\.\s*env\b/.test(code))
    faults.push('process.env is read in src/config.ts')
  if (
    place.room === 'db' &&
    /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\brandom(UUID|Bytes)\(|\bnew(Hex)?Id\(/.test(code)
  )
    faults.push('no clock and no chance inside db/: take the value as an argument')
  if (place.floor === 'services' && place.room !== 'db' && /^import (?!type\b)[^;]*?from 'kysely'/m.test(code))
    faults.push('SQL stands in db/ (a type of Kysely may be imported)')
  return faults
}

/** Where in the house a file is; `path` from the repository's root. */
export function placeOf(path: string): Place {
  const [root, first = '', service = '', ...rest] = path.split('/')
  if (root !== 'src') return { floor: 'outside', service: null, room: null }
  if (first === 'platform' || first === 'machine') return { floor: first, service: null, room: null }
  if (first !== 'services')
    return { floor: 'top', service: null, room: first === 'host.ts' || first === 'simulation.ts' ? 'host' : null }
  if (rest.length === 0) return { floor: 'services', service: null, room: null }
  const [room = ''] = rest
  return { floor: 'services', service, room: rest.length > 1 ? room : room === 'index.ts' ? 'door' : 'hall' }
}

/** What a file imports, exports from, or imports later. `declare module` only adds to a type and is no arrow. */
export function importsOf(text: string): string[] {
  const pattern =
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm
  return [...withoutComments(text).matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
}

/** Blanks out comments that begin a line or follow a space; enough for formatted code. */
function withoutComments(text: string): string {
  return text.replace(/\/\*\*?[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}

/** The services from the ground up, as `interface Services` in `services/index.ts` lists them. */
export function orderOf(index: string): string[] {
  const body = /export interface Services \{([^}]*)\}/.exec(index)?.[1] ?? ''
  return [...body.matchAll(/^\s*readonly (\w+)\s*:/gm)].map(([, name = '']) =>
    name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`),
  )
}

/** Reads the tree under `root`. */
export function readSources(root: string): Map<string, string> {
  const files = globSync('src/**/*.ts', { cwd: root }).sort()
  return new Map(files.map((file) => [file, readFileSync(posix.join(root, file), 'utf8')]))
}

if (import.meta.main) {
  const sources = readSources(fileURLToPath(new URL('..', import.meta.url)))
  const faults = check(sources, orderOf(sources.get('src/services/index.ts') ?? ''))
  for (const fault of faults) console.error(fault)
  console.log(`arrows: ${sources.size} files, ${faults.length} faults`)
  process.exitCode = faults.length > 0 ? 1 : 0
}
