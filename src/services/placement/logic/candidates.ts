import { type Conditions, canLend, isSharing, meets, type Node } from './forest.ts'

/** One group of a request: without a suffix it may be spread over a tree, with one it is for a single provider. */
export interface Group {
  suffix: string
  resources: ReadonlyMap<string, number>
  traits: Conditions
  aggregates: Conditions
  /** A provider in whose tree it must be. */
  inTree: string | null
}

export interface Request {
  groups: readonly Group[]
  /** Groups with a suffix on providers of their own. */
  isolate: boolean
  limit: number | null
  root: Conditions
  /** Sets of suffixes whose providers must hang below one of them. */
  sameSubtree: readonly ReadonlySet<string>[]
  /** Clients of before 1.29 know no trees: no two providers of one. */
  nestedAware: boolean
}

export interface Candidate {
  /** Provider → class → amount. */
  allocations: Map<string, Map<string, number>>
  /** Suffix → providers. */
  mappings: Map<string, string[]>
}

interface Option {
  suffix: string
  parts: readonly { node: Node; name: string; amount: number }[]
  nodes: readonly Node[]
}

/**
 * Ways to allocate what is asked for: every tree with those that share with it, each group's providers, and each
 * combination that fits together. Source: Placement API reference, "Allocation candidates"; the usage guide.
 */
export function candidates(forest: ReadonlyMap<string, Node>, request: Request): Candidate[] {
  const trees = Map.groupBy(forest.values(), (node) => node.rootId)
  const sharers = [...forest.values()].filter(isSharing)
  const found = new Map<string, Candidate>()
  for (const [rootId, tree] of trees) {
    const root = forest.get(rootId)
    if (!root || !meets(root.traits, request.root)) continue
    const reachable = tree.flatMap((node) => [...node.aggregates])
    const lenders = sharers.filter((node) => node.rootId !== rootId && reachable.some((id) => node.aggregates.has(id)))
    const options = request.groups.map((group) => optionsOf(forest, group, tree, lenders))
    for (const choice of product(options)) {
      const candidate = combine(forest, request, choice)
      if (!candidate) continue
      const key = JSON.stringify([
        [...candidate.allocations].map(([id, classes]) => [id, [...classes].sort()]).sort(),
        [...candidate.mappings].sort(),
      ])
      if (!found.has(key)) found.set(key, candidate)
      if (request.limit !== null && found.size >= request.limit) return [...found.values()]
    }
  }
  return [...found.values()]
}

/** Every choice of one from each. */
function* product<T>(lists: readonly (readonly T[])[], from = 0): Generator<T[]> {
  const [list] = lists.slice(from, from + 1)
  if (!list) {
    yield []
    return
  }
  for (const each of list) for (const rest of product(lists, from + 1)) yield [each, ...rest]
}

function optionsOf(
  forest: ReadonlyMap<string, Node>,
  group: Group,
  tree: readonly Node[],
  lenders: readonly Node[],
): Option[] {
  const { suffix, resources, inTree } = group
  const onlyRoot = inTree === null ? null : (forest.get(inTree)?.rootId ?? '')
  const near = [...tree, ...lenders].filter((node) => onlyRoot === null || node.rootId === onlyRoot)
  if (suffix !== '') {
    const nodes = resources.size === 0 ? near.filter((node) => tree.includes(node)) : near
    return nodes
      .filter((node) => meets(node.traits, group.traits) && meets(node.aggregates, group.aggregates))
      .filter((node) => [...resources].every(([name, amount]) => canLend(node, name, amount)))
      .map((node) => ({
        ...{ suffix, nodes: [node] },
        parts: [...resources].map(([name, amount]) => ({ node, name, amount })),
      }))
  }
  // The aggregates of a root are those of its whole tree.
  const member = near.filter((node) => {
    const own = node.aggregates
    const above = forest.get(node.rootId)?.aggregates ?? own
    const { allOf, noneOf } = group.aggregates
    const inAll = meets(own, { allOf, noneOf: new Set() }) || meets(above, { allOf, noneOf: new Set() })
    return inAll && own.isDisjointFrom(noneOf) && above.isDisjointFrom(noneOf)
  })
  const lists = [...resources].map(([name, amount]) =>
    member.filter((node) => canLend(node, name, amount)).map((node) => ({ node, name, amount })),
  )
  return [...product(lists)]
    .map((parts) => ({ suffix, parts, nodes: [...new Set(parts.map(({ node }) => node))] }))
    .filter(({ nodes }) => meets(new Set(nodes.flatMap((node) => [...node.traits])), group.traits))
}

/** Puts one option of each group together; null when they do not go together. */
function combine(
  forest: ReadonlyMap<string, Node>,
  { isolate, sameSubtree, nestedAware }: Request,
  choice: readonly Option[],
): Candidate | null {
  const alone = choice.filter(({ suffix, parts }) => suffix !== '' && parts.length > 0).map(({ nodes }) => nodes[0])
  if (isolate && new Set(alone).size < alone.length) return null
  const allocations = new Map<string, Map<string, number>>()
  for (const { node, name, amount } of choice.flatMap(({ parts }) => parts)) {
    const classes = allocations.get(node.id) ?? new Map<string, number>()
    classes.set(name, (classes.get(name) ?? 0) + amount)
    allocations.set(node.id, classes)
  }
  for (const [id, classes] of allocations) {
    for (const [name, amount] of classes) {
      const { used, capacity, maxUnit } = forest.get(id)!.lends.get(name)!
      if (used + amount > capacity || amount > maxUnit) return null
    }
  }
  const roots = [...allocations.keys()].map((id) => forest.get(id)!.rootId)
  if (!nestedAware && new Set(roots).size < roots.length) return null
  for (const suffixes of sameSubtree) {
    const nodes = choice.filter(({ suffix }) => suffixes.has(suffix)).flatMap((option) => option.nodes)
    if (!nodes.some((top) => nodes.every((node) => isBelow(forest, node, top)))) return null
  }
  const mappings = new Map(choice.map(({ suffix, nodes }) => [suffix, nodes.map(({ id }) => id).sort()]))
  return { allocations, mappings }
}

/** Also when it is the same. */
function isBelow(forest: ReadonlyMap<string, Node>, node: Node, top: Node): boolean {
  for (let at: Node | undefined = node; at; at = at.parentId === null ? undefined : forest.get(at.parentId)) {
    if (at.id === top.id) return true
  }
  return false
}
