import { flagColumn, ownerAttributes, type Resource, standardAttributes, textColumn } from './attributes.ts'
import * as is from './values.ts'

const name = { post: true, put: true, default: '', parse: is.text(255), column: textColumn('name') }
const description = { post: true, put: true, default: '', parse: is.text(255), column: textColumn('description') }

/** Source: Network API reference, "QoS policies". */
export const qosPolicy: Resource = {
  singular: 'policy',
  plural: 'policies',
  attributes: {
    id: { column: textColumn('id') },
    name,
    ...ownerAttributes,
    shared: { post: true, put: true, default: false, parse: is.boolean, filter: true },
    is_default: { post: true, put: true, default: false, parse: is.boolean, column: flagColumn('is_default') },
    rules: {},
    description,
    tags: {},
    ...standardAttributes,
  },
}

const largest = 2_147_483_647
const direction = { post: true, put: true, default: 'egress', parse: is.oneOf('egress', 'ingress') }
/** Source: RFC 4594 §1.4.4, as the API lists them. */
const marks = [0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 46, 48, 56]
const mark: is.Parse<number> = (value) => is.oneOf(...marks)(is.integer(0, 255)(value))

/** The types of rules, each with what may be said of it. */
export const qosRules = {
  bandwidth_limit: {
    singular: 'bandwidth_limit_rule',
    plural: 'bandwidth_limit_rules',
    attributes: {
      id: {},
      ...ownerAttributes,
      max_kbps: { post: true, put: true, required: true, parse: is.integer(0, largest) },
      max_burst_kbps: { post: true, put: true, default: 0, parse: is.integer(0, largest) },
      direction,
    },
  },
  dscp_marking: {
    singular: 'dscp_marking_rule',
    plural: 'dscp_marking_rules',
    attributes: { id: {}, ...ownerAttributes, dscp_mark: { post: true, put: true, required: true, parse: mark } },
  },
} as const satisfies Record<string, Resource>

/** What `rule-types` tells of each. Source: Network API reference, "QoS rule types". */
export const ruleTypeDetails = {
  bandwidth_limit: [
    { parameter_name: 'max_kbps', parameter_type: 'range', parameter_values: { start: 0, end: largest } },
    { parameter_name: 'max_burst_kbps', parameter_type: 'range', parameter_values: { start: 0, end: largest } },
    { parameter_name: 'direction', parameter_type: 'choices', parameter_values: ['egress', 'ingress'] },
  ],
  dscp_marking: [{ parameter_name: 'dscp_mark', parameter_type: 'choices', parameter_values: marks }],
} as const
