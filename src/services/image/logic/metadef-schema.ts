const readOnly = true
const text = (maxLength?: number, description?: string) => ({
  type: 'string',
  ...(description === undefined ? {} : { description }),
  ...(maxLength === undefined ? {} : { maxLength }),
})
const time = (description: string) => ({ type: 'string', readOnly, description, format: 'date-time' })
const link = { readOnly, type: 'string' }
const ref = (name: string) => ({ $ref: `#/definitions/${name}` })
const types = ['array', 'boolean', 'integer', 'number', 'object', 'string', null]

/** Of one property: what JSON Schema says of a value, in Image's own words. */
const propertyProperties = {
  name: text(80),
  title: text(),
  description: text(),
  operators: { type: 'array', items: { type: 'string' } },
  type: { type: 'string', enum: types },
  required: ref('stringArray'),
  minimum: { type: 'number' },
  maximum: { type: 'number' },
  maxLength: ref('positiveInteger'),
  minLength: ref('positiveIntegerDefault0'),
  pattern: { type: 'string', format: 'regex' },
  enum: { type: 'array' },
  readonly: { type: 'boolean' },
  default: {},
  items: { type: 'object', properties: { type: { type: 'string', enum: types }, enum: { type: 'array' } } },
  maxItems: ref('positiveInteger'),
  minItems: ref('positiveIntegerDefault0'),
  uniqueItems: { type: 'boolean', default: false },
  additionalItems: { type: 'boolean' },
}

const numbers = {
  positiveInteger: { type: 'integer', minimum: 0 },
  positiveIntegerDefault0: { allOf: [ref('positiveInteger'), { default: 0 }] },
  stringArray: { type: 'array', items: { type: 'string' }, uniqueItems: true },
}

const definitions = {
  ...numbers,
  property: {
    type: 'object',
    additionalProperties: { type: 'object', required: ['title', 'type'], properties: propertyProperties },
  },
}

const objectProperties = {
  name: text(80),
  description: text(),
  required: ref('stringArray'),
  properties: ref('property'),
  schema: link,
  self: link,
  created_at: time('Date and time of object creation'),
  updated_at: time('Date and time of the last object modification'),
}

const tagProperties = {
  name: text(80),
  created_at: time('Date and time of tag creation'),
  updated_at: time('Date and time of the last tag modification'),
}

const associationProperties = {
  name: text(80, 'Name of the resource type; where there is one, the name that Orchestration gives the type.'),
  prefix: text(80, 'What the names of the properties begin with on this resource type, separator included.'),
  properties_target: text(
    80,
    'Which of the sets of key and value pairs is meant, on resource types that have several.',
  ),
  created_at: time('Date and time of resource type association'),
  updated_at: time('Date and time of the last resource type association modification'),
}

const nested = (properties: object) => ({ type: 'array', items: { type: 'object', properties } })

const namespaceProperties = {
  namespace: text(80, 'The unique namespace text.'),
  display_name: text(80, 'The user friendly name for the namespace.'),
  description: text(500, 'Provides a user friendly description of the namespace.'),
  visibility: { type: 'string', description: 'Scope of namespace accessibility.', enum: ['public', 'private'] },
  protected: { type: 'boolean', description: 'If true, namespace will not be deletable.' },
  owner: text(255, 'Owner of the namespace.'),
  created_at: time('Date and time of namespace creation'),
  updated_at: time('Date and time of the last namespace modification'),
  schema: link,
  self: link,
  resource_type_associations: nested({ name: text(), prefix: text(), properties_target: text() }),
  properties: ref('property'),
  objects: nested({
    name: text(),
    description: text(),
    required: ref('stringArray'),
    properties: ref('property'),
  }),
  tags: nested({ name: text() }),
}

const namespace = { name: 'namespace', properties: namespaceProperties, required: ['namespace'], definitions }
const object = { name: 'object', properties: objectProperties, required: ['name'], definitions }
const tag = { name: 'tag', properties: tagProperties, required: ['name'] }
const association = { name: 'resource_type_association', properties: associationProperties, required: ['name'] }
const property = {
  name: 'property',
  properties: propertyProperties,
  required: ['type', 'title', 'name'],
  definitions: numbers,
}

const pageLinks = [
  { rel: 'first', href: '{first}' },
  { rel: 'next', href: '{next}' },
  { rel: 'describedby', href: '{schema}' },
]

function collectionOf(
  name: string,
  { definitions: shared, ...item }: { name: string; required: string[]; definitions?: object },
  asMap = false,
) {
  return {
    name,
    properties: {
      [name]: asMap ? { type: 'object', additionalProperties: item } : { type: 'array', items: item },
      first: { type: 'string' },
      next: { type: 'string' },
      schema: { type: 'string' },
    },
    links: pageLinks,
    ...(shared ? { definitions: shared } : {}),
  }
}

/** By the name in their URL. Source: Image API v2 reference, "Metadata definition schemas". */
export const metadefSchemas: Readonly<Record<string, object>> = {
  namespace,
  namespaces: collectionOf('namespaces', namespace),
  object,
  objects: collectionOf('objects', object),
  property,
  properties: collectionOf('properties', { ...property, required: ['type', 'title'] }, true),
  tag,
  tags: collectionOf('tags', tag),
  resource_type: association,
  resource_types: collectionOf('resource_type_associations', association),
}

/** Of documents inside others nothing unknown is kept, so nothing unknown is taken; their names have bounds as well. */
const closed = (schema: { name: string; properties: object; required: readonly string[] }) => ({
  type: 'object',
  ...schema,
  additionalProperties: false,
})

const nestedIn = (item: object) => ({ type: 'array', items: item })
const closedProperty = {
  type: 'object',
  required: ['title', 'type'],
  // Without the default, which would be written into what users sent.
  properties: { ...propertyProperties, uniqueItems: { type: 'boolean' }, confidential: { type: 'boolean' } },
  additionalProperties: false,
}
const bodyDefinitions = {
  ...numbers,
  property: { type: 'object', propertyNames: { maxLength: 80 }, additionalProperties: closedProperty },
}
const { name: objectName, description, required, properties } = objectProperties
const objectPart = { name: objectName, description, required, properties }
const partOf = (parts: object) => ({
  type: 'object',
  properties: parts,
  required: ['name'],
  additionalProperties: false,
})
const { name: associationName, prefix, properties_target } = associationProperties

/** What requests must fit. */
export const metadefBodies = {
  namespace: closed({
    ...namespace,
    properties: {
      ...namespaceProperties,
      resource_type_associations: nestedIn(partOf({ name: associationName, prefix, properties_target })),
      objects: nestedIn(partOf(objectPart)),
      tags: nestedIn(partOf({ name: tagProperties.name })),
    },
    ...{ definitions: bodyDefinitions },
  }),
  object: closed({ ...object, ...{ definitions: bodyDefinitions } }),
  property: closed({ ...property, properties: { ...closedProperty.properties } }),
  tag: closed(tag),
  tags: closed({ name: 'tags', properties: { tags: nestedIn(partOf({ name: tagProperties.name })) }, required: [] }),
  resource_type_association: closed(association),
}
