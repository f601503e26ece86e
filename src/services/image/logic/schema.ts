/** Upstream's formats, and `oci` for image layouts; in upstream's order. */
export const containerFormats = ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed', 'oci'] as const
export const diskFormats = ['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso', 'ploop'] as const

/** Those whose data is an archive of a container image, which is indexed when it is uploaded. */
export const isContainer = (containerFormat: string | null): boolean =>
  containerFormat === 'docker' || containerFormat === 'oci'

const nullable = (type: string) => ['null', type]
const readOnly = true

/** What an image has besides its own properties. Source: Image API v2 reference, "Show image schema". */
export const baseProperties = {
  id: {
    type: 'string',
    description: 'An identifier for the image',
    pattern: '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$',
  },
  name: { type: nullable('string'), description: 'Descriptive name for the image', maxLength: 255 },
  status: {
    type: 'string',
    readOnly,
    description: 'Status of the image',
    enum: [
      'queued',
      'saving',
      'active',
      'killed',
      'deleted',
      'uploading',
      'importing',
      'pending_delete',
      'deactivated',
    ],
  },
  visibility: {
    type: 'string',
    description: 'Scope of image accessibility',
    enum: ['community', 'public', 'private', 'shared'],
  },
  protected: { type: 'boolean', description: 'If true, image will not be deletable.' },
  os_hidden: { type: 'boolean', description: 'If true, image will not appear in default image list response.' },
  checksum: { type: nullable('string'), readOnly, description: 'md5 hash of image contents.', maxLength: 32 },
  os_hash_algo: {
    type: nullable('string'),
    readOnly,
    description: 'Algorithm to calculate the os_hash_value',
    maxLength: 64,
  },
  os_hash_value: {
    type: nullable('string'),
    readOnly,
    description: 'Hexdigest of the image contents using the algorithm specified by the os_hash_algo',
    maxLength: 128,
  },
  owner: { type: nullable('string'), description: 'Owner of the image', maxLength: 255 },
  size: { type: nullable('integer'), readOnly, description: 'Size of image file in bytes' },
  virtual_size: { type: nullable('integer'), readOnly, description: 'Virtual size of image in bytes' },
  container_format: {
    type: nullable('string'),
    description: 'Format of the container',
    enum: [null, ...containerFormats],
  },
  disk_format: { type: nullable('string'), description: 'Format of the disk', enum: [null, ...diskFormats] },
  created_at: { type: 'string', readOnly, description: 'Date and time of image registration' },
  updated_at: { type: 'string', readOnly, description: 'Date and time of the last image modification' },
  tags: {
    type: 'array',
    description: 'List of strings related to the image',
    items: { type: 'string', maxLength: 255 },
  },
  direct_url: { type: 'string', readOnly, description: 'URL to access the image file kept in external store' },
  min_ram: {
    type: 'integer',
    minimum: 0,
    maximum: 2147483647,
    description: 'Amount of ram (in MB) required to boot image.',
  },
  min_disk: {
    type: 'integer',
    minimum: 0,
    maximum: 2147483647,
    description: 'Amount of disk space (in GB) required to boot image.',
  },
  self: { type: 'string', readOnly, description: 'An image self url' },
  file: { type: 'string', readOnly, description: 'An image file url' },
  schema: { type: 'string', readOnly, description: 'An image schema url' },
  locations: {
    type: 'array',
    items: {
      type: 'object',
      properties: { url: { type: 'string', maxLength: 255 }, metadata: { type: 'object' } },
      required: ['url', 'metadata'],
    },
    description: 'A set of URLs to access the image file kept in external store',
  },
} as const

/** Of a property that users give themselves: 64 KiB, as upstream's column holds. */
const additionalProperties = { type: 'string', maxLength: 65_535 }

export const imageSchema = {
  name: 'image',
  properties: baseProperties,
  additionalProperties,
  links: [
    { rel: 'self', href: '{self}' },
    { rel: 'enclosure', href: '{file}' },
    { rel: 'describedby', href: '{schema}' },
  ],
}

/** What a request's image, or a part of one, must fit. */
export const imageBody = { type: 'object', properties: baseProperties, additionalProperties }

const memberSchema = {
  name: 'member',
  properties: {
    created_at: { type: 'string', description: 'Date and time of image member creation' },
    image_id: { type: 'string', description: 'An identifier for the image', pattern: baseProperties.id.pattern },
    member_id: { type: 'string', description: 'An identifier for the image member (tenantId)' },
    status: {
      type: 'string',
      description: 'The status of this image member',
      enum: ['pending', 'accepted', 'rejected'],
    },
    updated_at: { type: 'string', description: 'Date and time of last modification of image member' },
    schema: { type: 'string', readOnly },
  },
}

const collectionOf = (name: string, item: object, links: readonly object[]) => ({
  name,
  properties: {
    [name]: { type: 'array', items: item },
    first: { type: 'string' },
    next: { type: 'string' },
    schema: { type: 'string' },
  },
  links,
})

const taskStub = {
  id: { description: 'An identifier for the task', pattern: baseProperties.id.pattern, type: 'string' },
  type: {
    description: 'The type of task represented by this content',
    enum: ['import', 'api_image_import'],
    type: 'string',
  },
  status: {
    description: 'The current status of this task',
    enum: ['pending', 'processing', 'success', 'failure'],
    type: 'string',
  },
  owner: { description: 'An identifier for the owner of this task', type: 'string' },
  image_id: { description: 'Image associated with the task', type: 'string' },
  request_id: { description: 'Human-readable informative request-id', type: 'string' },
  user_id: { description: 'User associated with the task', type: 'string' },
  expires_at: { description: 'When this resource may be removed', type: nullable('string') },
  created_at: { description: 'Datetime when this resource was created', type: 'string' },
  updated_at: { description: 'Datetime when this resource was updated', type: 'string' },
  self: { readOnly, type: 'string' },
  schema: { readOnly, type: 'string' },
}

const taskSchema = {
  name: 'task',
  properties: {
    ...taskStub,
    input: { description: 'The parameters required by task, JSON blob', type: nullable('object') },
    result: { description: 'The result of current task, JSON blob', type: nullable('object') },
    message: { description: 'What there is to say, usually of a failure', type: 'string' },
  },
}

/** By the name in their URL. Source: Image API v2 reference, "Image Schemas", "Task Schemas". */
export const schemas: Readonly<Record<string, object>> = {
  image: imageSchema,
  images: collectionOf('images', imageSchema, [
    { rel: 'first', href: '{first}' },
    { rel: 'next', href: '{next}' },
    { rel: 'describedby', href: '{schema}' },
  ]),
  member: memberSchema,
  members: {
    name: 'members',
    properties: { members: { type: 'array', items: memberSchema }, schema: { type: 'string' } },
    links: [{ rel: 'describedby', href: '{schema}' }],
  },
  task: taskSchema,
  tasks: collectionOf('tasks', { name: 'task', properties: taskStub }, [
    { rel: 'first', href: '{first}' },
    { rel: 'next', href: '{next}' },
    { rel: 'describedby', href: '{schema}' },
  ]),
}
