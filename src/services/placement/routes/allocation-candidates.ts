import type { FastifyRequest } from 'fastify'
import type { App } from '../../../platform/http/app.ts'
import { type Candidate, candidates, type Group, type Request } from '../logic/candidates.ts'
import type { Deps } from '../logic/deps.ts'
import { forest, type Node } from '../logic/forest.ts'
import * as names from '../logic/names.ts'
import { badRequest } from '../logic/refusals.ts'
import { requestOf } from './candidate-query.ts'
import { dated, since } from './common.ts'

/** Source: Placement API reference, "Allocation candidates". */
export function allocationCandidateRoutes(app: App, { database: { read } }: Deps): void {
  const config = { policy: 'placement:allocation_candidates:list', since: '1.10' }
  app.get('/allocation_candidates', { config }, async (request, reply) => {
    const wanted = requestOf(request)
    const classes = wanted.groups.flatMap(({ resources }) => [...resources.keys()])
    const [unknown] = await names.unknownClasses(read, classes)
    if (unknown !== undefined) {
      throw badRequest(`Invalid resource class in resources parameter: No such resource class ${unknown}.`)
    }
    const conditions = [wanted.root, ...wanted.groups.map(({ traits }) => traits)]
    const traits = conditions.flatMap(({ allOf, noneOf }) => [...allOf.flatMap((any) => [...any]), ...noneOf])
    const missing = await names.unknownTraits(read, traits)
    if (missing.length > 0) throw badRequest(`No such trait(s): ${missing.join(', ')}.`)
    const all = await forest(read)
    const found = candidates(all, wanted)
    dated(request, reply, null)
    return {
      allocation_requests: found.map((candidate) => requestView(request, candidate)),
      provider_summaries: summaries(request, all, wanted, found),
    }
  })
}

function requestView(request: FastifyRequest, { allocations, mappings }: Candidate) {
  const pairs = [...allocations].map(([id, classes]) => [id, Object.fromEntries(classes)] as const)
  if (!since(request, '1.12')) {
    return { allocations: pairs.map(([uuid, resources]) => ({ resource_provider: { uuid }, resources })) }
  }
  return {
    allocations: Object.fromEntries(pairs.map(([id, resources]) => [id, { resources }])),
    ...(since(request, '1.34') ? { mappings: Object.fromEntries(mappings) } : {}),
  }
}

/** Of every provider in the trees of those that were chosen; old clients get only the chosen. */
function summaries(
  request: FastifyRequest,
  all: ReadonlyMap<string, Node>,
  { groups, nestedAware }: Request,
  found: readonly Candidate[],
) {
  const chosen = new Set(
    found.flatMap(({ allocations, mappings }) => [...allocations.keys(), ...[...mappings.values()].flat()]),
  )
  const roots = new Set([...chosen].map((id) => all.get(id)!.rootId))
  const asked = new Set(groups.flatMap(({ resources }: Group) => [...resources.keys()]))
  const shown = [...all.values()].filter((node) => (nestedAware ? roots.has(node.rootId) : chosen.has(node.id)))
  return Object.fromEntries(
    shown.map((node) => [
      node.id,
      {
        resources: Object.fromEntries(
          [...node.lends]
            .filter(([name]) => since(request, '1.27') || asked.has(name))
            .map(([name, { capacity, used }]) => [name, { capacity, used }]),
        ),
        ...(since(request, '1.17') ? { traits: [...node.traits] } : {}),
        ...(since(request, '1.29') ? { parent_provider_uuid: node.parentId, root_provider_uuid: node.rootId } : {}),
      },
    ]),
  )
}
