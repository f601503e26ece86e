import { forbidden } from './refusals.ts'

/** A rule of a mapping: what an assertion must have, and whom it then stands for. */
export interface MappingRule {
  readonly local: readonly Local[]
  readonly remote: readonly Remote[]
}

export interface Remote {
  readonly type: string
  readonly any_one_of?: readonly string[]
  readonly not_any_of?: readonly string[]
  readonly whitelist?: readonly string[]
  readonly blacklist?: readonly string[]
  readonly regex?: boolean
}

export interface DomainName {
  readonly id?: string
  readonly name?: string
}

export interface MappedUser {
  readonly id?: string
  readonly name?: string
  readonly email?: string
  readonly domain?: DomainName
  readonly type?: 'ephemeral' | 'local'
}

export interface MappedProject {
  readonly name: string
  readonly roles: readonly { readonly name: string }[]
}

interface NamedGroup {
  readonly name: string
  readonly domain: DomainName
}

export interface Local {
  readonly user?: MappedUser
  readonly projects?: readonly MappedProject[]
  readonly group?: { readonly id: string } | NamedGroup
  readonly groups?: string
  readonly group_ids?: string
  readonly domain?: DomainName
}

/** Whom an assertion stands for. */
export interface Mapped {
  readonly user: MappedUser
  readonly groupIds: readonly string[]
  readonly groupNames: readonly NamedGroup[]
  readonly projects: readonly MappedProject[]
}

/** Attribute of an assertion, under the name that `attributeKey` makes, → its values. */
export type Assertion = ReadonlyMap<string, readonly string[]>

/** Names as web servers hand them on: `HTTP_OIDC_ISS`, `OIDC-iss` and `oidc_iss` are one. Source: RFC 3875 §4.1.18. */
export const attributeKey = (name: string): string =>
  name
    .replace(/^HTTP_/, '')
    .toLowerCase()
    .replaceAll('-', '_')

/**
 * Applies the rules, each on its own; null when none fits. The first user named is the user, groups add up.
 * Source: Keystone documentation, "Mapping Combinations"; Identity API reference, "OS-FEDERATION: mappings".
 * @throws CloudError kind `forbidden` when a rule's local part names a match that its remote part does not make.
 */
export function applyMapping(mappingId: string, rules: readonly MappingRule[], assertion: Assertion): Mapped | null {
  const values: Local[] = []
  for (const { local, remote } of rules) {
    const matches = matchesOf(remote, assertion)
    if (matches) values.push(...local.map((each) => filled(each, matches, mappingId)))
  }
  if (values.length === 0) return null
  const groupIds = new Set<string>()
  const groupNames: NamedGroup[] = []
  for (const { group, groups, group_ids, domain } of values) {
    if (group) 'id' in group ? groupIds.add(group.id) : groupNames.push(group)
    if (groups !== undefined) groupNames.push(...namedGroups(groups, domain))
    if (group_ids !== undefined) for (const id of listIn(group_ids)) groupIds.add(id)
  }
  return {
    user: values.find(({ user }) => user)?.user ?? {},
    groupIds: [...groupIds],
    groupNames,
    projects: values.findLast(({ projects }) => projects)?.projects ?? [],
  }
}

/** What `{0}`, `{1}` … stand for; null when the rule does not fit. */
function matchesOf(remote: readonly Remote[], assertion: Assertion): (readonly string[])[] | null {
  const matches: (readonly string[])[] = []
  for (const { type, any_one_of, not_any_of, whitelist, blacklist, regex } of remote) {
    const values = assertion.get(attributeKey(type))
    if (!values || values.length === 0) return null
    const among = (wanted: readonly string[]) => {
      const patterns = regex ? wanted.map((pattern) => new RegExp(pattern)) : []
      return (value: string) => (regex ? patterns.some((each) => each.test(value)) : wanted.includes(value))
    }
    if (any_one_of) {
      if (!values.some(among(any_one_of))) return null
    } else if (not_any_of) {
      if (values.some(among(not_any_of))) return null
    } else if (blacklist) {
      const fits = among(blacklist)
      matches.push(values.filter((value) => !fits(value)))
    } else matches.push(whitelist ? values.filter(among(whitelist)) : values)
  }
  return matches
}

/** The same with what `{n}` stands for; a match of several values is written as a list, which `listIn` reads. */
function filled<T>(value: T, matches: readonly (readonly string[])[], mappingId: string): T {
  if (typeof value === 'string')
    return value.replace(/\{\{|\}\}|\{(\d*)\}/g, (brace, number?: string) => {
      if (number === undefined) return brace[0]!
      const match = matches[Number(number)]
      if (!match)
        throw forbidden(
          `Local section in mapping ${mappingId} refers to a remote match that doesn't exist (e.g. ${brace} in a local section).`,
        )
      return match.length === 1 ? match[0]! : JSON.stringify(match)
    }) as T
  if (Array.isArray(value)) return value.map((each) => filled(each, matches, mappingId) as unknown) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, filled(each, matches, mappingId)])) as T
}

/** A list as `filled` or as Python writes it; any other text is the one thing it says. */
function listIn(text: string): string[] {
  if (!/^\s*\[.*\]\s*$/s.test(text)) return [text]
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'/g)].map(([, double, single]) =>
    (double ?? single ?? '').replace(/\\(.)/g, '$1'),
  )
}

/** Without a domain, groups are of no domain, and so nobody's. */
function namedGroups(groups: string, domain: DomainName | undefined): NamedGroup[] {
  return listIn(groups).map((name) => ({ name, domain: domain ?? {} }))
}
