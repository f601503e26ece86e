import type { FastifyRequest } from 'fastify'
import type { Group, Request } from '../logic/candidates.ts'
import { badRequest, codes } from '../logic/refusals.ts'
import { all, checkKeys, dashed, isUuid, last, type Query, queryOf, since } from './common.ts'
import { aggregatesOf, parseTraits, resourcesOf, traitsOf } from './conditions.ts'

const groupKeys = { resources: '1.10', required: '1.17', member_of: '1.21', in_tree: '1.31' } as const
const wideKeys: Readonly<Record<string, string>> = {
  ...{ limit: '1.16', group_policy: '1.25', root_required: '1.35', same_subtree: '1.36' },
}
const none = { allOf: [], noneOf: new Set<string>() }

/** @throws CloudError `badRequest` for what the microversion does not know, and for groups that say nothing */
export function requestOf(request: FastifyRequest): Request {
  const query = queryOf(request)
  const keyed = keyPattern(request)
  checkKeys(query, (name) => {
    const version = wideKeys[name] ?? groupKeys[keyed.exec(name)?.[1] as keyof typeof groupKeys]
    return version !== undefined && since(request, version)
  })
  const suffixes = new Set(Object.keys(query).flatMap((name) => keyed.exec(name)?.[2] ?? []))
  const groups = [...suffixes].sort().map((suffix) => groupOf(request, query, suffix))
  const sameSubtree = all(query, 'same_subtree').map((text) => new Set(text.split(',').map((each) => each.trim())))
  if (sameSubtree.some((each) => each.has(''))) {
    const text = 'Empty string (unsuffixed group) can not be specified in `same_subtree` '
    throw badRequest(text, codes.badValue)
  }
  if (since(request, '1.36')) checkSubtrees(groups, sameSubtree)
  else checkOrphans(query, groups)
  if (since(request, '1.22')) checkForbidden(groups)
  const policy = all(query, 'group_policy')[0]
  if (policy !== undefined && policy !== 'none' && policy !== 'isolate') {
    throw badRequest(`Invalid query string parameters: '${policy}' is not one of ['none', 'isolate']`)
  }
  if (policy === undefined && groups.filter(({ suffix }) => suffix !== '').length > 1) {
    throw badRequest('The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.')
  }
  return {
    ...{ groups, isolate: policy === 'isolate', limit: limitOf(query), root: rootOf(query), sameSubtree },
    nestedAware: since(request, '1.29'),
  }
}

function keyPattern(request: FastifyRequest): RegExp {
  const suffix = since(request, '1.33') ? '[a-zA-Z0-9_-]{1,64}' : since(request, '1.25') ? '[1-9][0-9]*' : '(?!)'
  return new RegExp(`^(resources|required|member_of|in_tree)((?:${suffix})?)$`)
}

function groupOf(request: FastifyRequest, query: Query, suffix: string): Group {
  const resources = last(query, `resources${suffix}`)
  const inTree = last(query, `in_tree${suffix}`)?.trim()
  if (inTree !== undefined && !isUuid(inTree)) {
    const why = `Expected 'in_tree' parameter to be a format of uuid. Got: ${inTree}`
    throw badRequest(`Invalid query string parameters: ${why}`)
  }
  return {
    suffix,
    resources: resources === undefined ? new Map() : resourcesOf(resources),
    traits: traitsOf(request, `required${suffix}`),
    aggregates: aggregatesOf(request, `member_of${suffix}`),
    inTree: inTree === undefined ? null : dashed(inTree),
  }
}

function limitOf(query: Query): number | null {
  const limit = all(query, 'limit')[0]
  if (limit === undefined) return null
  if (/^[1-9][0-9]*$/.test(limit)) return Number(limit)
  throw badRequest(`Invalid query string parameters: '${limit}' does not match '^[1-9][0-9]*$'`)
}

function rootOf(query: Query): Request['root'] {
  const values = all(query, 'root_required')
  if (values.length === 0) return none
  if (values.length > 1) {
    throw badRequest("Query parameter 'root_required' may be specified only once.", codes.duplicateKey)
  }
  const conditions = parseTraits(values, { mayForbid: true, mayChoose: false })
  const both = conditions.allOf.flatMap((any) => [...any]).filter((name) => conditions.noneOf.has(name))
  if (both.length === 0) return conditions
  throw badRequest(
    `Conflicting required and forbidden traits found in root_required: ${both.join(', ')}`,
    codes.badValue,
  )
}

/** From 1.36 on a group may want only traits, if it is tied to others. */
function checkSubtrees(groups: readonly Group[], sameSubtree: readonly ReadonlySet<string>[]): void {
  const tied = new Set(sameSubtree.flatMap((each) => [...each]))
  const empty = groups.filter(({ resources }) => resources.size === 0).map(({ suffix }) => suffix)
  if (empty.length === groups.length) {
    throw badRequest('There must be at least one resources or resources[$S] parameter.', codes.missingValue)
  }
  const loose = empty.filter((suffix) => !tied.has(suffix))
  if (loose.length > 0) {
    const text = 'Resourceless suffixed group request should be specified in `same_subtree` query param'
    throw badRequest(`${text}: bad group(s) - ${JSON.stringify(loose)}.`, codes.badValue)
  }
  const known = groups.map(({ suffix }) => suffix)
  const bad = [...tied].filter((suffix) => !known.includes(suffix))
  if (bad.length > 0) {
    const text = 'Real suffixes should be specified in `same_subtree`'
    throw badRequest(`${text}: ${JSON.stringify(bad)} not found in ${JSON.stringify(known)}.`, codes.badValue)
  }
}

function checkOrphans(query: Query, groups: readonly Group[]): void {
  const empty = groups.filter(({ resources }) => resources.size === 0)
  for (const [key, words] of [
    ['required', 'All traits parameters must be associated with resources.  Found the following orphaned traits keys:'],
    [
      'member_of',
      'All member_of parameters must be associated with resources. Found the following orphaned member_of keys:',
    ],
  ] as const) {
    const orphans = empty.map(({ suffix }) => key + suffix).filter((name) => query[name] !== undefined)
    if (orphans.length > 0) throw badRequest(`${words} ${orphans.join(', ')}`)
  }
  if (empty.length > 0) throw badRequest('All request groups must specify resources.')
  if (groups.length === 0) {
    throw badRequest('At least one request group (`resources` or `resources{$S}`) is required.')
  }
}

function checkForbidden(groups: readonly Group[]): void {
  const conflicts = groups.flatMap(({ suffix, traits: { allOf, noneOf } }) =>
    allOf.filter((any) => any.isSubsetOf(noneOf)).map((any) => `required${suffix}: (${[...any].sort().join(', ')})`),
  )
  if (conflicts.length === 0) return
  const text = 'Conflicting required and forbidden traits found in the following traits keys:'
  throw badRequest(`${text} ${conflicts.sort().join(', ')}`)
}
