import { CloudError } from '../../../platform/errors.ts'
import { invalidInput } from './errors.ts'
import { shown } from './values.ts'

/** Source: Network API reference, "Tags": up to 255 characters. Commas part the tags of a filter. */
const longest = 255

/** @throws CloudError `badRequest` */
export function tagText(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw invalidInput(`'${shown(value)}' is not a valid tag`)
  if (value.length > longest) throw invalidInput(`'${value}' exceeds maximum length of ${longest}`)
  if (/[\n,]/.test(value)) throw invalidInput(`'${value}' is not a valid tag: it contains a comma or a line break`)
  return value
}

/** The body `{"tags": []}`. @throws CloudError `badRequest` */
export function tagList(body: unknown): string[] {
  const list = typeof body === 'object' && body !== null && 'tags' in body ? body.tags : undefined
  if (!Array.isArray(list)) throw invalidInput('Invalid tags body')
  const tags = list.map(tagText)
  const twice = tags.find((tag, i) => tags.indexOf(tag) !== i)
  if (twice !== undefined) throw invalidInput(`Duplicate items in the list: '${twice}'`)
  return tags
}

export const tagNotFound = (tag: string) =>
  new CloudError('notFound', `Tag ${tag} could not be found.`, { type: 'TagNotFound' })
