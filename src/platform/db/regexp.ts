/** What a compiled expression consists of. Numbers are places in the program. */
type Step =
  | { kind: 'one'; fits: (char: string) => boolean }
  | { kind: 'fork'; to: [number, number] }
  | { kind: 'jump'; to: number }
  | { kind: 'begin' }
  | { kind: 'end' }

/** Repetitions are written out, so this bounds both memory and the cost of a character. */
const mostSteps = 2000

type Fits = (char: string) => boolean
const classes: Readonly<Record<string, Fits>> = {
  d: (c) => /\d/.test(c),
  D: (c) => /\D/.test(c),
  w: (c) => /\w/.test(c),
  W: (c) => /\W/.test(c),
  s: (c) => /\s/.test(c),
  S: (c) => /\S/.test(c),
}
const named: Readonly<Record<string, Fits>> = {
  alpha: (c) => /[a-z]/i.test(c),
  digit: classes.d!,
  alnum: (c) => /[a-z0-9]/i.test(c),
  upper: (c) => /[A-Z]/.test(c),
  lower: (c) => /[a-z]/.test(c),
  space: classes.s!,
  punct: (c) => /[!-/:-@[-`{-~]/.test(c),
}
const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

/** A part of an expression that can be written out again, as repetition does. */
type Part = (program: Step[]) => void

/**
 * Compiles an extended regular expression (POSIX.1-2017, chapter 9.4, and `\d \w \s`) to a matcher that answers whether
 * it is found anywhere in a text. Its time is linear in the text whatever the expression is (all states are followed at
 * once), so expressions may come from anybody: JavaScript's own engine can be made to run for years.
 * @throws SyntaxError for what is no expression, or goes beyond these
 */
export function regexp(source: string): (text: string) => boolean {
  const chars = [...source]
  let at = 0
  const fail = (why: string): never => {
    throw new SyntaxError(`Invalid regular expression ${source}: ${why}`)
  }

  const alternatives = (): Part => {
    const parts = [sequence()]
    while (chars[at] === '|') {
      at++
      parts.push(sequence())
    }
    return parts.reduceRight((rest, part) => (program) => {
      const fork = emit(program, { kind: 'fork', to: [program.length + 1, 0] })
      part(program)
      const jump = emit(program, { kind: 'jump', to: 0 })
      fork.to[1] = program.length
      rest(program)
      jump.to = program.length
    })
  }
  const sequence = (): Part => {
    const parts: Part[] = []
    while (at < chars.length && chars[at] !== '|' && chars[at] !== ')') parts.push(repeated(atom()))
    return (program) => {
      for (const part of parts) part(program)
    }
  }
  const repeated = (part: Part): Part => {
    const [least, most] = quantifier()
    if (least === 1 && most === 1) return part
    return repeated((program) => {
      for (let i = 0; i < least; i++) part(program)
      if (most === null) {
        const start = program.length
        const fork = emit(program, { kind: 'fork', to: [start + 1, 0] })
        part(program)
        emit(program, { kind: 'jump', to: start })
        fork.to[1] = program.length
        return
      }
      const forks = []
      for (let i = least; i < most; i++) {
        forks.push(emit(program, { kind: 'fork', to: [program.length + 1, 0] }))
        part(program)
      }
      for (const fork of forks) fork.to[1] = program.length
    })
  }
  const quantifier = (): [least: number, most: number | null] => {
    const bounds = /^\{(\d{1,3})(,(\d{0,3}))?\}/.exec(chars.slice(at, at + 10).join(''))
    const [least, most, length] =
      chars[at] === '*'
        ? [0, null, 1]
        : chars[at] === '+'
          ? [1, null, 1]
          : chars[at] === '?'
            ? [0, 1, 1]
            : bounds
              ? [Number(bounds[1]), upper(bounds), bounds[0].length]
              : [1, 1, 0]
    at += length
    if (most !== null && most < least) fail('a repetition ends below its start')
    // How greedy it is makes no difference to whether it is found.
    if (length > 0 && chars[at] === '?') at++
    return [least, most]
  }
  const upper = (bounds: RegExpExecArray): number | null => {
    if (bounds[2] === undefined) return Number(bounds[1])
    return bounds[3] ? Number(bounds[3]) : null
  }
  const atom = (): Part => {
    const char = chars[at++]!
    switch (char) {
      case '^':
        return (program) => void emit(program, { kind: 'begin' })
      case '$':
        return (program) => void emit(program, { kind: 'end' })
      case '.':
        return one(() => true)
      case '[':
        return one(bracket())
      case '*':
      case '+':
      case '?':
        return fail(`nothing before ${char}`)
      case '(': {
        if (chars[at] === '?') {
          if (chars[at + 1] !== ':') fail('only (?: is understood after a parenthesis')
          at += 2
        }
        const inner = alternatives()
        if (chars[at++] !== ')') fail('a parenthesis is not closed')
        return inner
      }
      case '\\':
        return one(escaped())
      default:
        return one((c) => c === char)
    }
  }
  const escaped = (): Fits => {
    const char = chars[at++] ?? fail('it ends in a backslash')
    if (classes[char]) return classes[char]
    if (/[a-zA-Z0-9]/.test(char) && !escapes[char]) fail(`\\${char} is not understood`)
    return (c) => c === (escapes[char] ?? char)
  }
  const bracket = (): Fits => {
    const negated = chars[at] === '^'
    if (negated) at++
    const fits: Fits[] = []
    for (let first = true; first || chars[at] !== ']'; first = false) {
      const char = chars[at++] ?? fail('a bracket is not closed')
      const name = char === '[' && /^:(\w+):\]/.exec(chars.slice(at, at + 10).join(''))
      if (name) {
        fits.push(named[name[1]!] ?? fail(`[:${name[1]}:] is not understood`))
        at += name[0].length
      } else if (char === '\\') fits.push(escaped())
      else if (chars[at] === '-' && chars[at + 1] !== ']' && at + 1 < chars.length) {
        const end = chars[at + 1]!
        at += 2
        fits.push((c) => c >= char && c <= end)
      } else fits.push((c) => c === char)
    }
    at++
    return (c) => fits.some((fit) => fit(c)) !== negated
  }

  function emit<S extends Step>(program: Step[], step: S): S {
    if (program.push(step) > mostSteps) fail('it is too long')
    return step
  }
  const one =
    (fits: Fits): Part =>
    (program) =>
      void emit(program, { kind: 'one', fits })

  const whole = alternatives()
  if (at < chars.length) fail('a parenthesis is not opened')
  const program: Step[] = []
  whole(program)
  return (text) => run(program, [...text])
}

/** Follows all ways through the program at once; the end of the program is a match. */
function run(program: readonly Step[], text: readonly string[]): boolean {
  let current = new Set<number>()
  for (let position = 0; position <= text.length; position++) {
    // May begin anywhere.
    const ways = [...current, 0]
    const reached = new Set<number>()
    for (let place = ways.pop(); place !== undefined; place = ways.pop()) {
      if (reached.has(place)) continue
      reached.add(place)
      const step = program[place]
      if (step === undefined) return true
      if (step.kind === 'fork') ways.push(...step.to)
      else if (step.kind === 'jump') ways.push(step.to)
      else if (step.kind === 'begin' ? position === 0 : step.kind === 'end' && position === text.length)
        ways.push(place + 1)
    }
    current = new Set()
    const char = text[position]
    if (char === undefined) return false
    for (const place of reached) {
      const step = program[place]
      if (step?.kind === 'one' && step.fits(char)) current.add(place + 1)
    }
  }
  return false
}
