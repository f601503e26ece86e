import { canonicalIp, formatCidr, parseCidr } from './addresses.ts'

/** Why a value will not do; the attribute's name is added by who knows it. */
export class Reason extends Error {}

/** Checks a value from a request and gives it in our form. @throws Reason */
export type Parse<T = unknown> = (value: unknown) => T

/** A value as Python's `%s` prints it, which is how Neutron's messages show what was sent. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  return JSON.stringify(value)
}

export const text =
  (maxLength: number): Parse<string> =>
  (value) => {
    if (typeof value !== 'string') throw new Reason(`'${shown(value)}' is not a valid string`)
    if (value.length > maxLength) throw new Reason(`'${value}' exceeds maximum length of ${maxLength}`)
    return value
  }

/** Neutron takes more than JSON's own booleans. Source: neutron-lib, "converters.convert_to_boolean". */
export const boolean: Parse<boolean> = (value) => {
  if (value === true || value === 1 || (typeof value === 'string' && /^(true|1)$/i.test(value))) return true
  if (value === false || value === 0 || (typeof value === 'string' && /^(false|0)$/i.test(value))) return false
  throw new Reason(`'${shown(value)}' cannot be converted to boolean`)
}

export const integer =
  (min: number, max: number): Parse<number> =>
  (value) => {
    const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
    if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
      throw new Reason(`'${shown(value)}' is not an integer`)
    }
    if (number < min) throw new Reason(`'${number}' is too small - must be at least '${min}'`)
    if (number > max) throw new Reason(`'${number}' is too large - must be no larger than '${max}'`)
    return number
  }

export const oneOf =
  <T>(...allowed: readonly T[]): Parse<T> =>
  (value) => {
    if (!allowed.includes(value as T)) {
      throw new Reason(`'${shown(value)}' is not in [${allowed.map((a) => `'${shown(a)}'`).join(', ')}]`)
    }
    return value as T
  }

export const orNull =
  <T>(parse: Parse<T>): Parse<T | null> =>
  (value) =>
    value === null ? null : parse(value)

export const uuid: Parse<string> = (value) => {
  if (typeof value !== 'string' || !isUuid(value)) throw new Reason(`'${shown(value)}' is not a valid UUID`)
  return value
}
export const isUuid = (value: string): boolean =>
  /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(value)

export const ipAddress: Parse<string> = (value) => {
  const address = typeof value === 'string' ? canonicalIp(value) : null
  if (address === null) throw new Reason(`'${shown(value)}' is not a valid IP address`)
  return address
}

export const cidr: Parse<string> = (value) => {
  const range = typeof value === 'string' && value.includes('/') ? parseCidr(value) : null
  if (!range) throw new Reason(`'${shown(value)}' is not a valid IP subnet`)
  return formatCidr(range)
}

export const macAddress: Parse<string> = (value) => {
  if (
    typeof value !== 'string' ||
    !/^[0-9a-f]{2}([:-])[0-9a-f]{2}(\1[0-9a-f]{2}){4}$/i.test(value) ||
    isNoHost(value)
  ) {
    throw new Reason(`'${shown(value)}' is not a valid MAC address`)
  }
  return value.toLowerCase().replaceAll('-', ':')
}

/** All zeros, or a group address (its first byte is odd), which no port can have for its own. */
const isNoHost = (mac: string): boolean => /^[0:-]+$/.test(mac) || (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1

export const list =
  <T>(parse: Parse<T>, noun: string): Parse<T[]> =>
  (value) => {
    if (!Array.isArray(value)) throw new Reason(`Invalid data format for ${noun}: '${shown(value)}'`)
    return value.map(parse)
  }

/** An object of just these keys; `optional` ones may be absent. */
export const record =
  <T>(noun: string, keys: Readonly<Record<string, Parse>>, required: readonly string[]): Parse<T> =>
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Reason(`Invalid data format for ${noun}: '${shown(value)}'`)
    }
    const unknown = Object.keys(value).filter((key) => !(key in keys))
    const missing = required.filter((key) => !(key in value))
    if (unknown.length > 0 || missing.length > 0) {
      throw new Reason(
        `Invalid input. '${shown(value)}' must be a ${noun} with the keys [${Object.keys(keys).map((k) => `'${k}'`)}]`,
      )
    }
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, part]) => part !== undefined)
        .map(([key, part]) => [key, keys[key]!(part)]),
    ) as T
  }

/** Refuses two items that `keyOf` gives the same key; null is no key. */
export const distinct =
  <T>(parse: Parse<T[]>, keyOf: (item: T) => string | null, complaint: string): Parse<T[]> =>
  (value) => {
    const items = parse(value)
    const seen = new Set<string>()
    for (const key of items.map(keyOf)) {
      if (key === null) continue
      if (seen.has(key)) throw new Reason(`${complaint} '${key}'`)
      seen.add(key)
    }
    return items
  }

/** `null` means "none of them" to Neutron where a list is expected. */
export const nullAsEmpty =
  <T>(parse: Parse<T[]>): Parse<T[]> =>
  (value) =>
    value === null ? [] : parse(value)
