import type { Chance } from './chance.ts'
import type { Pool } from './pool.ts'

type Schema = Readonly<Record<string, unknown>>

/** Texts that some field means something by. */
const plausible = [
  ...[
    'a',
    'name',
    'x-1',
    '1',
    '0',
    '-1',
    '42',
    'true',
    'default',
    'public',
    'auto',
    'none',
    'RegionOne',
    'nova',
    'tcp',
  ],
  ...['10.0.0.0/24', '10.0.0.5', '192.0.2.1', '2001:db8::1', '2001:db8::/64', 'fa:16:3e:00:00:01', 'host1', 'docker'],
  ...['2026-01-01T00:00:00Z', '2030-01-01T00:00:00.000000Z', '2026-01-01', 'http://127.0.0.1/x', 'someone@example.org'],
  ...['11111111-2222-3333-4444-555555555555', '11111111222233334444555555555555', 'aGVsbG8=', 'GET', 'raw', 'ingress'],
  ...[
    'nova-compute',
    'SOFT',
    'AUTO',
    'enabled',
    '/v2.1/servers',
    'compute',
    'identity',
    'compute:servers',
    'IPv4',
    '*',
  ],
]

/** Texts that break what was not written for them. */
const hostile = [
  ...[
    '',
    ' ',
    '\u0000',
    'a\u0000b',
    '\ud800',
    '\u202e\u2028',
    "' OR 1=1 --",
    '%',
    '%00',
    '../../etc/passwd',
    '__proto__',
  ],
  ...[
    'constructor',
    'toString',
    '☃'.repeat(300),
    'x'.repeat(5000),
    'NaN',
    '1e999',
    '999999999999999999999',
    '-0',
    '0x10',
  ],
  ...[
    '10.0.0.0/33',
    '256.1.1.1',
    '::/0',
    '0.0.0.0/0',
    '2026-13-45T99:99:99Z',
    '+275760-09-13T00:00:00Z',
    '(((((a+)+)+)$',
  ],
  ...[
    '{"a":1}',
    '[]',
    'null',
    '\\',
    '"',
    '<b>',
    '$(x)',
    'name:asc,name:desc',
    'in:a,b',
    'gt:',
    'sha256:zz',
    'bytes=9-1',
  ],
]

const oddNumbers = [0, -1, 1, 2, 64, 65_536, 2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 1e21, 1e308, 0.5, -0]

/** Values made of schemas and of field names, mostly such as would pass. */
export interface Values {
  /** One value that the schema describes, as far as it can be read; `key` is the field's name. */
  of(schema: unknown, key: string, depth?: number): unknown
  /** A value for a field of which only the name is known. */
  named(key: string): unknown
  text(key: string): string
  /** The same with one to three places spoilt. */
  spoilt(value: unknown): unknown
}

export function newValues(chance: Chance, pool: Pool): Values {
  const text = (key: string): string => {
    const roll = chance.next()
    const known = /(^id$|_id$|Ref$|uuid$)/.test(key) ? pool.id(key) : pool.text(key)
    if (known !== undefined && roll < 0.7) return known
    if (roll < 0.93) return chance.sometimes(0.3) ? `n${chance.below(1_000_000)}` : chance.one(plausible)
    return chance.one(hostile)
  }
  const named = (key: string): unknown => {
    if (/(^is_|enabled|^shared$|^admin_state|^router:ext|_state_up$|^force)/.test(key)) return chance.sometimes(0.6)
    if (/(^ip_version$)/.test(key)) return chance.one([4, 4, 6])
    if (/(^port_range|_limit$|^mtu$|^prefixlen|_count$|segmentation)/.test(key))
      return chance.one([1, 22, 1500, 65_535])
    if (/^cidr$|_prefix$/.test(key)) return `10.${chance.below(256)}.0.0/${chance.one([16, 24, 28])}`
    if (/_ip$|_ip_address$|^ip_address$/.test(key)) return `10.${chance.below(256)}.0.${chance.below(256)}`
    if (/^(fixed_ips|allowed_address_pairs|allocation_pools|host_routes|routes|security_groups|tags)$/.test(key)) {
      const item = { subnet_id: text('subnet_id'), ip_address: named('ip_address') }
      const range = { start: named('ip_address'), end: named('ip_address') }
      const route = { destination: named('cidr'), nexthop: named('ip_address') }
      return chance.one<unknown>([[], [item], [range], [route], [text('security_group_id')], [text('tags')], null])
    }
    return chance.one<unknown>([text(key), text(key), text(key), chance.one(oddNumbers), true, null])
  }
  const ofString = (schema: Schema, key: string): string => {
    const pattern = typeof schema.pattern === 'string' ? new RegExp(schema.pattern, 'u') : null
    const most = typeof schema.maxLength === 'number' ? schema.maxLength : 300
    for (let i = 0; i < 12; i++) {
      const candidate = i < 6 ? text(key) : chance.one(plausible)
      if (candidate.length <= most && (!pattern || pattern.test(candidate))) return candidate
    }
    return text(key)
  }
  const ofObject = (schema: Schema, depth: number): Record<string, unknown> => {
    const required = new Set(Array.isArray(schema.required) ? schema.required : [])
    const made: Record<string, unknown> = {}
    for (const [name, inner] of Object.entries((schema.properties ?? {}) as Schema)) {
      if (required.has(name) || (depth < 5 && chance.sometimes(0.35))) made[name] = of(inner, name, depth + 1)
    }
    const others = schema.additionalProperties ?? Object.values((schema.patternProperties ?? {}) as Schema)[0]
    if (others !== false && depth < 5 && chance.sometimes(0.15)) {
      made[text('key')] = typeof others === 'object' ? of(others, 'value', depth + 1) : text('value')
    }
    return made
  }
  const of = (given: unknown, key: string, depth = 0): unknown => {
    if (typeof given !== 'object' || given === null) return named(key)
    const schema = given as Schema
    const union = schema.anyOf ?? schema.oneOf
    if (Array.isArray(union)) return of(chance.one(union), key, depth + 1)
    if (Array.isArray(schema.allOf)) return Object.assign({}, ...schema.allOf.map((each) => of(each, key, depth + 1)))
    if ('const' in schema) return schema.const
    if (Array.isArray(schema.enum)) return chance.one(schema.enum)
    const type = Array.isArray(schema.type) ? chance.one(schema.type as unknown[]) : schema.type
    switch (type) {
      case 'string':
        return ofString(schema, key)
      case 'integer':
      case 'number':
        return chance.sometimes(0.8) ? Number(schema.minimum ?? 0) + chance.below(5) : chance.one(oddNumbers)
      case 'boolean':
        return chance.sometimes(0.7)
      case 'null':
        return null
      case 'array': {
        const many = depth > 5 ? 0 : Math.max(Number(schema.minItems ?? 0), chance.below(3))
        return Array.from({ length: many }, () => of(schema.items, key, depth + 1))
      }
      case 'object':
        return ofObject(schema, depth)
      default:
        return schema.properties ? ofObject(schema, depth) : named(key)
    }
  }
  const odd = (): unknown => {
    const roll = chance.below(8)
    if (roll < 3) return chance.one(hostile)
    if (roll < 5) return chance.one(oddNumbers)
    return chance.one<unknown>([null, true, [], {}, [[]], { a: { b: [null] } }, [null], [1, 'a', {}]])
  }
  const spoil = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || chance.sometimes(0.1)) return odd()
    if (Array.isArray(value)) {
      if (value.length === 0 || chance.sometimes(0.2)) return [...value, odd()]
      const at = chance.below(value.length)
      return value.map((each, i) => (i === at ? spoil(each) : each))
    }
    const keys = Object.keys(value)
    const key = keys.length === 0 || chance.sometimes(0.1) ? chance.one(hostile) : chance.one(keys)
    const copy: Record<string, unknown> = { ...value }
    if (chance.sometimes(0.15)) delete copy[key]
    else copy[key] = spoil(copy[key])
    return copy
  }
  return {
    of,
    named,
    text,
    spoilt(value) {
      let made = value
      for (let i = chance.below(3); i >= 0; i--) made = spoil(made)
      return made
    },
  }
}
