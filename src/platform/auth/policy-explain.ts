import type { Explained, Target } from './policy.ts'
import { type Check, type Credentials, compile, type Node, parse, single } from './policy-language.ts'

/** The verdict on a rule with the verdict of every check it is made of. @throws Error when there is no such rule. */
export function explain(
  rule: string,
  texts: ReadonlyMap<string, string>,
  credentials: Credentials,
  target: Target,
): Explained {
  const textOf = (name: string): string => {
    const text = texts.get(name)
    if (text === undefined) throw new Error(`There is no policy rule "${name}"`)
    return text
  }
  const resolve = (name: string): Check => compile(textOf(name), resolve)

  const told = (node: Node): Explained => {
    if (node.kind === 'check') return node.text.startsWith('rule:') ? named(node.text) : leaf(node.text)
    if (node.kind === 'not') {
      const part = told(node.part)
      return { text: 'not', allowed: !part.allowed, parts: [part] }
    }
    const parts = node.parts.map(told)
    const allowed = node.kind === 'or' ? parts.some((part) => part.allowed) : parts.every((part) => part.allowed)
    return { text: node.kind, allowed, parts }
  }
  const named = (text: string): Explained => {
    const part = told(parse(textOf(text.slice('rule:'.length))))
    return { text, allowed: part.allowed, parts: [part] }
  }
  const leaf = (text: string): Explained => {
    const because = reasonOf(text, credentials, target)
    return { text, allowed: single(text, resolve)(credentials, target), ...(because && { because }), parts: [] }
  }
  return named(`rule:${rule}`)
}

/** As `explain`, for a default that its deprecated one still widens: says which of the two granted. */
export function explainDefaults(
  rule: string,
  defaults: { readonly check: string; readonly deprecated: string },
  texts: ReadonlyMap<string, string>,
  credentials: Credentials,
  target: Target,
): Explained {
  const each = new Map([...texts, [newDefault, defaults.check], [oldDefault, defaults.deprecated]])
  const parts = [newDefault, oldDefault].map((name) => {
    const told = explain(name, each, credentials, target)
    return { ...told, text: name }
  })
  return { text: `rule:${rule}`, allowed: parts.some((part) => part.allowed), parts }
}

const newDefault = 'the default'
const oldDefault = 'the deprecated default (in force until enforceNewDefaults)'

/** The scope of the token stands before all else when scopes are enforced. */
export function withScope(told: Explained, scopes: readonly string[], scope: string): Explained {
  const allowed = scopes.includes(scope)
  const because = `the token's scope: ${scope}`
  const first = { text: `scope is one of ${scopes.join(', ')}`, allowed, because, parts: [] }
  return { ...told, allowed: allowed && told.allowed, parts: [first, ...told.parts] }
}

/** What stood on the two sides of one check. */
function reasonOf(text: string, credentials: Credentials, target: Target): string {
  if (text === '@' || text === '!') return ''
  const [kind = ''] = text.split(':', 1)
  if (kind === 'role') return `the caller's roles: ${listOf(credentials.roles)}`
  if (kind === 'field') {
    const [, name = ''] = /^field:[^:]+:([^=]+)=/.exec(text) ?? []
    return `the target's ${name}: ${shown(target[name])}`
  }
  const names = [...text.matchAll(/%\(([^)]*)\)s/g)].map(([, name]) => name ?? '')
  const sides = names.map((name) => `the target's ${name}: ${shown(target[name])}`)
  return kind in credentials
    ? [`the caller's ${kind}: ${shown(credentials[kind])}`, ...sides].join('; ')
    : sides.join('; ')
}

const listOf = (value: unknown): string => (Array.isArray(value) && value.length > 0 ? value.join(', ') : 'none')
const shown = (value: unknown): string =>
  value === undefined ? 'not said' : value === null ? 'none' : typeof value === 'string' ? value : JSON.stringify(value)
