import type { Target } from './policy.ts'

/** What a check string reads of the caller, under oslo.context's names; null when the token does not say it. */
export type Credentials = Readonly<Record<string, string | boolean | null | readonly string[]>>

/** A compiled check string. */
export type Check = (credentials: Credentials, target: Target) => boolean

/** Finds the compiled rule behind `rule:name`; called once, while compiling. @throws Error when there is none. */
export type Resolve = (name: string) => Check

/** What a check string says, before it is compiled. */
export type Node =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Node[] }
  | { readonly kind: 'not'; readonly part: Node }
  | { readonly kind: 'check'; readonly text: string }

type Token = '(' | ')' | 'and' | 'or' | 'not' | { readonly kind: 'check'; readonly text: string }

const always: Check = () => true
const never: Check = () => false

/**
 * Compiles a check string to a closure: `and`, `or`, `not`, parentheses, `@`, `!`, `role:`, `rule:`, Neutron's
 * `field:`, and `left:right` comparisons. `and` binds tighter than `or`; an empty string allows all. `http:` is not
 * spoken: a policy that asks a remote server can not be decided in microseconds.
 * Source: oslo.policy documentation, "oslo_policy.policy: Policy Rule Expressions".
 * @throws Error that names what is wrong with the text.
 */
export function compile(text: string, resolve: Resolve): Check {
  return closureOf(parse(text), resolve)
}

function closureOf(node: Node, resolve: Resolve): Check {
  if (node.kind === 'check') return single(node.text, resolve)
  if (node.kind === 'not') {
    const inner = closureOf(node.part, resolve)
    return (c, t) => !inner(c, t)
  }
  const parts = node.parts.map((part) => closureOf(part, resolve))
  return node.kind === 'or' ? (c, t) => parts.some((part) => part(c, t)) : (c, t) => parts.every((part) => part(c, t))
}

/** The tree of a check string, as `compile` reads it. @throws Error that names what is wrong with the text. */
export function parse(text: string): Node {
  const tokens = tokenize(text)
  if (tokens.length === 0) return { kind: 'check', text: '@' }
  let at = 0

  const either = (): Node => {
    const parts = [both()]
    while (tokens[at] === 'or') {
      at++
      parts.push(both())
    }
    return parts.length === 1 ? parts[0]! : { kind: 'or', parts }
  }
  const both = (): Node => {
    const parts = [one()]
    while (tokens[at] === 'and') {
      at++
      parts.push(one())
    }
    return parts.length === 1 ? parts[0]! : { kind: 'and', parts }
  }
  const one = (): Node => {
    const token = tokens[at++]
    if (typeof token === 'object') return token
    if (token === 'not') return { kind: 'not', part: one() }
    if (token !== '(')
      throw new Error(token ? `"${token}" where a check is expected` : 'it ends where a check is expected')
    const inner = either()
    if (tokens[at++] !== ')') throw new Error('a parenthesis is not closed')
    return inner
  }

  const whole = either()
  if (at < tokens.length) throw new Error('"and" or "or" is missing between two checks')
  return whole
}

/** Splits at blanks outside quotes. Parentheses count only at a word's ends, since `%(name)s` holds them too. */
function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  for (const [word] of text.matchAll(/(?:'[^']*'|"[^"]*"|\S)+/g)) {
    const open = /^\(*/.exec(word)![0].length
    let core = word.slice(open)
    let close = 0
    while (core.endsWith(')')) {
      core = core.slice(0, -1)
      close++
    }
    for (let i = 0; i < open; i++) tokens.push('(')
    const keyword = core.toLowerCase()
    if (keyword === 'and' || keyword === 'or' || keyword === 'not') tokens.push(keyword)
    else if (core !== '') tokens.push({ kind: 'check', text: core })
    for (let i = 0; i < close; i++) tokens.push(')')
  }
  return tokens
}

/** One check without its surroundings. */
export function single(text: string, resolve: Resolve): Check {
  if (text === '@') return always
  if (text === '!') return never
  const literal = /^('[^']*'|"[^"]*"):/.exec(text)
  const colon = literal ? literal[0].length - 1 : text.indexOf(':')
  if (colon <= 0) throw new Error(`"${text}" is no check: it has no "kind:match"`)
  const kind = text.slice(0, colon)
  const match = text.slice(colon + 1)
  if (kind === 'rule') return resolve(match)
  if (kind === 'http' || kind === 'https') throw new Error(`"${text}" asks a remote server, which is not supported`)
  if (kind === 'field') return field(match)
  const right = template(match)
  if (kind === 'role') return role(right)
  return comparison(kind, right)
}

/** Role names are compared without regard to case. */
function role(name: Template): Check {
  if (typeof name === 'string') {
    const wanted = name.toLowerCase()
    return ({ roles }) => Array.isArray(roles) && roles.some((r) => r === wanted || r.toLowerCase() === wanted)
  }
  return ({ roles }, target) => {
    const wanted = name(target)?.toLowerCase()
    return wanted !== undefined && Array.isArray(roles) && roles.some((r) => r.toLowerCase() === wanted)
  }
}

/** `left:right`, where left is a literal or an attribute of the caller. */
function comparison(left: string, right: Template): Check {
  const literal = literalOf(left)
  if (typeof right === 'string')
    return literal !== undefined
      ? literal === right
        ? always
        : never
      : (credentials) => matches(credentials[left], right)
  if (literal !== undefined) return (_, target) => right(target) === literal
  return (credentials, target) => {
    const own = credentials[left]
    // Upstream lets a caller without a project match a target without one, as both print "None". That has been a hole
    // more often than a help: here what a token lacks matches only a `None` written in the rule itself.
    if (own === null) return false
    const wanted = right(target)
    return wanted !== undefined && matches(own, wanted)
  }
}

function matches(own: Credentials[string] | undefined, wanted: string): boolean {
  if (own === undefined) return false
  return Array.isArray(own) ? own.includes(wanted) : printed(own) === wanted
}

/** Python's literals, printed as Python prints them; undefined when `text` is the name of an attribute. */
function literalOf(text: string): string | undefined {
  if (/^(['"]).*\1$/.test(text)) return text.slice(1, -1)
  return /^(True|False|None|-?\d+(\.\d+)?)$/.test(text) ? text : undefined
}

/** `field:networks:shared=True`; `=~` compares with a regular expression. Source: Neutron documentation, "Policies". */
function field(match: string): Check {
  const parts = /^[^:]+:([^=]+)=(~?)(.*)$/.exec(match)
  if (!parts) throw new Error(`"field:${match}" is not "field:resource:name=value"`)
  const [, name = '', tilde, wanted = ''] = parts
  const pattern = tilde ? new RegExp(wanted) : null
  return (_, target) => {
    const value = target[name]
    if (value === undefined) return false
    return pattern ? typeof value === 'string' && pattern.test(value) : printed(value) === wanted
  }
}

/** Text with `%(name)s` filled in from the target: a plain string when there is nothing to fill in. */
type Template = string | ((target: Target) => string | undefined)

function template(text: string): Template {
  const parts = text.split(/%\(([^)]*)\)s/) // texts at even places, names at odd ones
  const texts = parts.map((part) => part.replaceAll('%%', '%'))
  if (parts.length === 1) return texts[0]!
  const name = parts[1]!
  const filled = (value: unknown) => (value === undefined ? undefined : printed(value))
  if (parts.length === 3 && texts[0] === '' && texts[2] === '') return (target) => filled(target[name])
  return (target) => {
    let out = ''
    for (const [i, part] of parts.entries()) {
      const piece = i % 2 ? filled(target[part]) : texts[i]
      if (piece === undefined) return undefined
      out += piece
    }
    return out
  }
}

/** As Python's str() prints it, since check strings say `True` and `None`. */
function printed(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  return typeof value === 'number' ? String(value) : JSON.stringify(value)
}
