import type { Database, Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as optionRows from '../db/domain-options.ts'
import { type DomainConfig, defaults, sensitive } from './domain-config-options.ts'
import { forbidden } from './refusals.ts'

export type { DomainConfig } from './domain-config-options.ts'

const invalid = (reason: string) => forbidden(`Invalid domain specific configuration: ${reason}.`)

const missing = (domainId: string, what: string) =>
  new CloudError('notFound', `Could not find ${what} in domain configuration for domain ${domainId}.`)

const words = (group?: string, option?: string): string =>
  option !== undefined ? `option ${option} in group ${group}` : group !== undefined ? `group ${group}` : 'any options'

const isSensitive = (group: string, option: string) => sensitive[group]?.includes(option) === true

/** @throws CloudError kind `forbidden` when a domain cannot have such a group or option of its own. */
function mustBeKnown(group?: string, option?: string): void {
  if (group === undefined) return
  if (!Object.hasOwn(defaults, group))
    throw invalid(`Group ${group} is not supported for domain specific configurations`)
  if (option !== undefined && !Object.hasOwn(defaults[group] ?? {}, option) && !isSensitive(group, option))
    throw invalid(`Option ${option} in group ${group} is not supported for domain specific configurations`)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function optionsOf(config: Readonly<Record<string, unknown>>): optionRows.DomainOption[] {
  if (Object.keys(config).length === 0) throw invalid('No options specified')
  return Object.entries(config).flatMap(([group, options]) => {
    if (!isObject(options) || Object.keys(options).length === 0)
      throw invalid(`The value of group ${group} specified in the config should be a dictionary of options`)
    return Object.entries(options).map(([option, value]) => {
      mustBeKnown(group, option)
      return { group, option, value, sensitive: isSensitive(group, option) }
    })
  })
}

function shown(options: readonly optionRows.DomainOption[]): DomainConfig {
  const config: Record<string, Record<string, unknown>> = {}
  for (const { group, option, value, sensitive: hidden } of options)
    if (!hidden) config[group] = { ...config[group], [option]: value }
  return config
}

/**
 * What a domain has of its own, without what is sensitive; one option alone as `{option: value}`.
 * Source: Identity API reference, "Domain configuration".
 * @throws CloudError kind `notFound` when there is nothing to show.
 */
export async function show(db: Db, domainId: string, group?: string, option?: string): Promise<object> {
  mustBeKnown(group, option)
  const config = shown(await optionRows.list(db, domainId, group, option))
  if (Object.keys(config).length === 0) throw missing(domainId, words(group, option))
  return option === undefined || group === undefined ? config : (config[group] ?? {})
}

/** In the place of what was there. @returns what there is now, and whether there was nothing before. */
export async function replace({ write }: Database, domainId: string, config: Record<string, unknown>) {
  const options = optionsOf(config)
  return write(async (trx) => {
    const before = await optionRows.list(trx, domainId)
    await optionRows.remove(trx, domainId)
    for (const option of options) await optionRows.put(trx, domainId, option)
    return { config: shown(options), isNew: before.length === 0 }
  })
}

/** Adds to what is there. A group or option that is named must be there already, and alone in the body. */
export async function merge(
  { write }: Database,
  domainId: string,
  body: Record<string, unknown>,
  group?: string,
  option?: string,
): Promise<object> {
  const config = group !== undefined && option !== undefined ? { [group]: body } : body
  const options = optionsOf(config)
  mustBeKnown(group, option)
  const only = (wanted: string, found: readonly string[]) => found.length === 1 && found[0] === wanted
  if (group !== undefined && !only(group, Object.keys(config)))
    throw invalid(`Trying to update group ${group}, so that, and only that, group must be specified in the config`)
  if (option !== undefined && !only(option, Object.keys(body)))
    throw invalid(
      `Trying to update option ${option} in group ${group}, so that, and only that, option must be specified in the config`,
    )
  return write(async (trx) => {
    if (group !== undefined && (await optionRows.list(trx, domainId, group, option)).length === 0)
      throw missing(domainId, words(group, option))
    for (const each of options) await optionRows.put(trx, domainId, each)
    return show(trx, domainId)
  })
}

export async function remove({ write }: Database, domainId: string, group?: string, option?: string): Promise<void> {
  mustBeKnown(group, option)
  await write(async (trx) => {
    if (group !== undefined && (await optionRows.list(trx, domainId, group, option)).length === 0)
      throw missing(domainId, words(group, option))
    await optionRows.remove(trx, domainId, group, option)
  })
}

/** What holds where a domain says nothing. */
export function showDefault(group?: string, option?: string): object {
  mustBeKnown(group, option)
  if (group === undefined) return defaults
  if (option === undefined) return { [group]: defaults[group] }
  if (isSensitive(group, option)) throw invalid(`Option ${option} in group ${group} is sensitive and never shown`)
  return { [option]: defaults[group]?.[option] ?? null }
}
