type Value = string | number | boolean | null | undefined

const comparisons: Readonly<Record<string, (a: Value, b: Value) => boolean>> = {
  '=': (a, b) => a === b,
  '<': (a, b) => a! < b!,
  '>': (a, b) => a! > b!,
  '<=': (a, b) => a! <= b!,
  '>=': (a, b) => a! >= b!,
}

/**
 * What the hint `query` asks of a host: `["and", [">=", "$free_ram_mb", 1024], ["=", "$host", "a"]]`. Null for one that
 * can not be read. Source: Compute admin guide, "JsonFilter".
 */
export function hostQuery(text: string): ((facts: Readonly<Record<string, Value>>) => boolean) | null {
  let query: unknown
  try {
    query = JSON.parse(text)
  } catch {
    return null
  }
  return (facts) => truth(evaluate(query, facts))
}

type Result = Value | Value[]

const truth = (result: Result): boolean => (Array.isArray(result) ? result.every(Boolean) : Boolean(result))

function evaluate(query: unknown, facts: Readonly<Record<string, Value>>): Result {
  if (typeof query === 'string') return query.startsWith('$') ? facts[query.slice(1)] : query
  if (!Array.isArray(query)) return query as Value
  if (query.length === 0) return true
  const [name, ...rest] = query as unknown[]
  const args = rest.flatMap((each) => {
    const value = evaluate(each, facts)
    return value === undefined || value === null ? [] : [value].flat()
  })
  if (name === 'and') return args.every(Boolean)
  if (name === 'or') return args.some(Boolean)
  if (name === 'not') return args.map((each) => !each)
  const [first, ...others] = args
  if (others.length === 0) return false
  if (name === 'in') return others.includes(first)
  const compare = comparisons[String(name)]
  return compare !== undefined && others.every((other) => compare(first, other))
}
