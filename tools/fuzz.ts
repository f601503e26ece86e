/**
 * `node tools/fuzz.ts [--requests N] [--seed N] [--seconds N] [--postgres]`: drives every route of every service of a cloud in this
 * process with likely and unlikely input, as administrator, member and nobody. Fails on any 5xx, any answer later than
 * 5 s, and any refusal that is not said in the service's own way; each is printed so that it can be sent again.
 */
import { test } from 'node:test'
import { parseArgs } from 'node:util'
import type { ListedRoute } from '../src/platform/http/app.ts'
import { busyboxArchive } from '../src/seed/busybox.ts'
import { listed } from '../src/services/index.ts'
import type { TestCloud } from '../test/support/cloud.ts'
import { chanceOf } from './fuzz/chance.ts'
import { newPool } from './fuzz/pool.ts'
import { newRequests, type Wanted, type Who } from './fuzz/requests.ts'
import { newValues } from './fuzz/values.ts'
import { faultIn, type Got } from './fuzz/verdict.ts'

export interface Finding {
  what: string
  request: Wanted
  answer: string
}

export interface Outcome {
  seed: number
  requests: number
  /** Answers by status. */
  statuses: Readonly<Record<number, number>>
  routes: number
  /** Routes that at least once did what was asked. */
  succeeded: number
  findings: readonly Finding[]
}

const most = 200

/** Sends up to `requests` requests, for at most `seconds`. The same seed makes the same choices. */
export async function fuzz(
  cloud: TestCloud,
  options: { seed: number; requests: number; seconds: number; onFinding?(finding: Finding): void },
): Promise<Outcome> {
  const { seed, requests, seconds } = options
  const chance = chanceOf(seed)
  const pool = newPool(chance)
  const { services } = cloud.control
  const routes = listed(services).flatMap(({ name, app }) =>
    (app?.routeList ?? []).map((route: ListedRoute) => ({ name, app: app!, route })),
  )
  const weighted = routes.flatMap((each) => Array.from({ length: weightOf(each.route) }, () => each))
  const minted = { admin: cloud.as('admin').token, demo: cloud.as('demo').token }
  const owners = [minted.admin, minted.demo].map((token) => services.identity.authenticate(token, 'req-fuzz')!)
  const tokens: Record<Who, string | null> = { ...minted, nobody: null }
  const projects = { admin: cloud.as('admin').projectId, demo: cloud.as('demo').projectId, nobody: null }
  const guarded = new Set(owners.flatMap(({ userId, projectId }) => [userId, projectId ?? '', 'default']))
  // Roles taken from its users would only make every answer a refusal.
  const { body: known } = await cloud.as('admin').get('identity', '/v3/roles')
  for (const { id } of known.roles) guarded.add(id)
  const make = newRequests(chance, pool, newValues(chance, pool), guarded)

  for (const who of ['admin', 'demo'] as const) for (const each of await furnish(cloud, who)) pool.learn(each)

  const statuses: Record<number, number> = {}
  const succeeded = new Set<ListedRoute>()
  const findings: Finding[] = []
  const until = performance.now() + seconds * 1000
  let sent = 0
  for (; sent < requests && performance.now() < until && findings.length < most; sent++) {
    const { name, app, route } = sent < routes.length ? routes[sent]! : chance.one(weighted) // each at least once
    // Each costs a password's hash, which is slow on purpose.
    if (
      /auth\/tokens|\/password$|ec2tokens|s3tokens/.test(route.url) &&
      route.method === 'POST' &&
      chance.sometimes(0.7)
    ) {
      continue
    }
    const wanted = make(name, route, tokens, projects)
    const started = performance.now()
    const reply = await app.inject({
      method: wanted.method as 'GET',
      url: wanted.path,
      headers: wanted.headers,
      ...(wanted.payload === undefined ? {} : { payload: wanted.payload }),
    })
    const { statusCode: status, headers, body } = reply
    const got: Got = { status, headers, body, ms: performance.now() - started }
    statuses[status] = (statuses[status] ?? 0) + 1
    if (status < 300) {
      succeeded.add(route)
      if (String(headers['content-type']).includes('json') && body.length < 100_000)
        pool.learn(JSON.parse(body || 'null'))
    }
    const what = faultIn(name, route.method, wanted.path, got)
    if (what) {
      const finding = { what, request: wanted, answer: body.slice(0, 600) }
      findings.push(finding)
      options.onFinding?.(finding)
    }
    // Whatever ended the tokens (a password changed, a role revoked): go on with new ones.
    if (status === 401 && sent % 7 === 0) await renew()
  }

  async function renew(): Promise<void> {
    for (const [i, who] of (['admin', 'demo'] as const).entries()) {
      if (services.identity.authenticate(tokens[who] ?? '', 'req-fuzz')) continue
      const { userId, projectId, roles } = owners[i]!
      tokens[who] = await services.identity.mintToken({ userId, projectId: projectId!, roles, ttlSeconds: 3600 })
    }
  }
  return { seed, requests: sent, statuses, routes: routes.length, succeeded: succeeded.size, findings }
}

/** What writes has more ways to go wrong than what reads; another spelling of the same path has none of its own. */
function weightOf({ method, url }: ListedRoute): number {
  if (/^\/v2(\.1\/:projectId)?\/(?!images)/.test(url)) return 1
  return { POST: 12, PUT: 8, PATCH: 8, GET: 6, DELETE: 3 }[method] ?? 1
}

/** A few things to meet, so that what needs them gets further than to their absence. */
async function furnish(cloud: TestCloud, who: 'admin' | 'demo'): Promise<unknown[]> {
  const caller = cloud.as(who)
  const kind = { container_format: 'docker', disk_format: 'raw' }
  const { body: image } = await caller.post('image', '/v2/images', { name: 'i', ...kind })
  await caller.put('image', `/v2/images/${image.id}/file`, await busyboxArchive())
  const { body: network } = await caller.post('network', '/v2.0/networks', { network: { name: 'n' } })
  const wanted = { network_id: network.network.id, ip_version: 4, cidr: '10.1.0.0/24' }
  const { body: subnet } = await caller.post('network', '/v2.0/subnets', { subnet: wanted })
  const server = { name: 's', imageRef: image.id, flavorRef: '1', networks: [{ uuid: network.network.id }] }
  const { body: made } = await caller.post('compute', '/v2.1/servers', { server })
  const { body: flavors } = await caller.get('compute', '/v2.1/flavors')
  await cloud.settle()
  return [{ image }, network, subnet, made, flavors, { flavors: [{ id: '1' }, { id: '2' }] }]
}

/** One finding in a few lines, such as a person can send again. */
export const toldOf = ({ what, request, answer }: Finding): string => {
  const headers = Object.entries(request.headers).map(([name, value]) =>
    name === 'x-auth-token' ? name : `${name}: ${value}`,
  )
  return `${what}\n  ${request.service} ${request.method} ${request.path}\n  ${headers.join(' | ')}\n  ${request.payload ?? ''}\n  → ${answer}`
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      requests: { type: 'string' },
      seed: { type: 'string' },
      seconds: { type: 'string' },
      postgres: { type: 'boolean' },
    },
  })
  const { startCloud } = await import('../test/support/cloud.ts')
  const { openTestPostgres, openTestSqlite } = await import('../test/support/databases.ts')
  test('fuzz', async (t) => {
    const seed = Number(values.seed ?? Date.now() % 2 ** 31)
    const requests = Number(values.requests ?? 100_000)
    console.log(`seed ${seed}`)
    const cloud = await startCloud(t, { open: values.postgres ? openTestPostgres : openTestSqlite })
    const { findings, ...rest } = await fuzz(cloud, {
      ...{ seed, requests, seconds: Number(values.seconds ?? 3600) },
      onFinding: (finding) => console.log(toldOf(finding)),
    })
    console.log(JSON.stringify(rest))
    if (findings.length > 0) throw new Error(`${findings.length} findings`)
  })
}
