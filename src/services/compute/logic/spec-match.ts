const number = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text))

const operators: Readonly<Record<string, (value: string, wanted: string, all: readonly string[]) => boolean>> = {
  '=': (a, b) => number(a) >= number(b),
  '==': (a, b) => number(a) === number(b),
  '!=': (a, b) => number(a) !== number(b),
  '>=': (a, b) => number(a) >= number(b),
  '<=': (a, b) => number(a) <= number(b),
  's==': (a, b) => a === b,
  's!=': (a, b) => a !== b,
  's<': (a, b) => a < b,
  's<=': (a, b) => a <= b,
  's>': (a, b) => a > b,
  's>=': (a, b) => a >= b,
  '<in>': (a, b) => a.includes(b),
  '<all-in>': (a, _, all) => all.every((each) => a.includes(each)),
}

/** Whether a value is what an extra spec wants. Source: Compute admin guide, "ComputeCapabilitiesFilter", its operators. */
export function specMatches(value: string, wanted: string): boolean {
  const [first = '', ...words] = wanted.trim().split(/\s+/)
  if (first === '<or>') return words.filter((word) => word !== '<or>').includes(value)
  const operator = operators[first]
  if (!operator) return value === wanted
  return words[0] !== undefined && operator(value, words[0], words)
}
