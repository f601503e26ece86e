import { parse } from 'yaml'
import { CloudError, messageOf } from '../errors.ts'
import { glanceDriver } from './glance.ts'
import type { ObjectDriver } from './objects.ts'
import { type OpenStackAccount, versionOf } from './openstack-auth.ts'
import { s3Driver } from './s3.ts'
import { swiftDriver } from './swift.ts'

/** One way of storing, all its keys in one place. Values as they stand in the file, variables put in. */
export type Flavour = Readonly<Record<string, unknown>>

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The flavours that are there without a file, with the variables that the field's registries read them from.
 * Source: docker-registry 0.7, README, "Configuration flavors".
 */
export const usualFlavours = `
common: &common
  storage_path: _env:STORAGE_PATH
local: &local
  <<: *common
  storage: local
s3: &s3
  <<: *common
  storage: s3
  s3_region: _env:AWS_REGION
  s3_bucket: _env:AWS_BUCKET
  boto_host: _env:AWS_HOST
  boto_port: _env:AWS_PORT
  s3_access_key: _env:AWS_KEY
  s3_secret_key: _env:AWS_SECRET
  s3_secure: _env:AWS_SECURE:true
  s3_encrypt: _env:AWS_ENCRYPT:false
gcs:
  <<: *common
  storage: gcs
  boto_bucket: _env:GCS_BUCKET
  gs_access_key: _env:GCS_KEY
  gs_secret_key: _env:GCS_SECRET
  gs_secure: _env:GCS_SECURE:true
swift: &swift
  <<: *common
  storage: swift
  swift_container: _env:OS_CONTAINER
  swift_authurl: _env:OS_AUTH_URL
  swift_auth_version: _env:OS_AUTH_VERSION
  swift_user: _env:OS_USERNAME
  swift_password: _env:OS_PASSWORD
  swift_tenant_name: _env:OS_TENANT_NAME
  swift_region_name: _env:OS_REGION_NAME
glance: &glance
  <<: *common
  storage: glance
  storage_alternate: _env:GLANCE_STORAGE_ALTERNATE:file
openstack:
  <<: *glance
glance-swift: &glance-swift
  <<: *swift
  storage: glance
  storage_alternate: swift
openstack-swift:
  <<: *glance-swift
elliptics:
  <<: *common
  storage: elliptics
dev: &dev
  <<: *local
test:
  <<: *local
prod:
  <<: *s3
`

/**
 * Reads a configuration of docker-registry's form: sections of which one is chosen, `common` under it, `_env:NAME:default` for
 * values. @throws CloudError that names what is wrong
 */
export function readFlavours(
  text: string,
  env: Environment,
  where = 'the storage configuration',
): Map<string, Flavour> {
  let sections: unknown
  try {
    sections = parse(text, { merge: true })
  } catch (thrown) {
    throw new CloudError('badRequest', `${where} is not valid YAML: ${messageOf(thrown)}`, { cause: thrown })
  }
  if (!isMap(sections)) throw new CloudError('badRequest', `${where} must hold sections`)
  const common = isMap(sections.common) ? sections.common : {}
  const flavours = new Map<string, Flavour>()
  for (const [name, section] of Object.entries(sections)) {
    if (name !== 'common' && isMap(section)) flavours.set(name, put({ ...common, ...section }, env) as Flavour)
  }
  return flavours
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Variables in place of what names them. Only the first two colons count; without variable and default the key goes. */
function put(value: unknown, env: Environment): unknown {
  if (isMap(value)) {
    const entries = Object.entries(value).map(([key, inner]) => [key, put(inner, env)] as const)
    return Object.fromEntries(entries.filter(([, inner]) => inner !== undefined))
  }
  if (typeof value !== 'string' || !value.startsWith('_env:')) return value ?? undefined
  const [name = '', ...rest] = value.slice(5).split(':')
  const said = env[name] ?? (rest.length > 0 ? rest.join(':') : undefined)
  if (said === undefined) return undefined
  return /^(true|false)$/i.test(said) ? said.toLowerCase() === 'true' : said
}

/** The driver of a flavour; null for `local`, which is this machine. @throws CloudError that names the setting */
export function driverOf(name: string, flavour: Flavour, env: Environment): ObjectDriver | null {
  const text = (key: string, fallback?: string): string => {
    const value = flavour[key] ?? fallback
    if (value === undefined || value === '')
      throw new CloudError('badRequest', `The storage flavour ${name} needs ${key}.`)
    return String(value)
  }
  const optional = (key: string, fallback = ''): string => String(flavour[key] ?? fallback)
  const prefix = slashed(optional('storage_path'))
  const storage = text('storage', 'local')
  switch (storage) {
    case 'local':
    case 'file':
      return null
    case 's3': {
      const region = optional('s3_region') || 'us-east-1'
      const scheme = flavour.s3_secure === false ? 'http' : 'https'
      const port = optional('boto_port')
      const host = optional('boto_host') || (region === 'us-east-1' ? 's3.amazonaws.com' : `s3.${region}.amazonaws.com`)
      return s3Driver({
        ...{ type: 's3', region, prefix, encrypt: flavour.s3_encrypt === true },
        endpoint: `${scheme}://${host}${port ? `:${port}` : ''}`,
        bucket: optional('s3_bucket') || text('boto_bucket'),
        accessKey: text('s3_access_key'),
        secretKey: text('s3_secret_key'),
        ...(env.AWS_SESSION_TOKEN ? { sessionToken: env.AWS_SESSION_TOKEN } : {}),
      })
    }
    case 'gcs':
      if (flavour.oauth2 === true)
        throw new CloudError(
          'badRequest',
          `The storage flavour ${name} wants oauth2; interoperable keys are known (gs_access_key, gs_secret_key).`,
        )
      return s3Driver({
        ...{ type: 'gcs', region: 'auto', prefix, bucket: text('boto_bucket') },
        endpoint: `${flavour.gs_secure === false ? 'http' : 'https'}://${optional('boto_host') || 'storage.googleapis.com'}${optional('boto_port') ? `:${optional('boto_port')}` : ''}`,
        accessKey: text('gs_access_key'),
        secretKey: text('gs_secret_key'),
      })
    case 'swift':
      return swiftDriver({ ...account(text, optional, 'swift_', {}), container: text('swift_container'), prefix })
    case 'glance':
      // Tags and names, for which others needed a second store, are rows here.
      return glanceDriver({ ...account(text, optional, 'swift_', env), prefix: prefix.replace(/\/$/, '') })
    case 'elliptics':
      throw new CloudError(
        'badRequest',
        `The storage flavour ${name} names elliptics: that storage engine is not maintained or packaged any more. There are local, swift, s3, gcs, glance and glance-swift.`,
      )
    default:
      throw new CloudError(
        'badRequest',
        `The storage flavour ${name} names the storage ${storage}, which is not known.`,
      )
  }
}

const slashed = (path: string): string => {
  const trimmed = path.replace(/^\/+|\/+$/g, '')
  return trimmed === '' ? '' : `${trimmed}/`
}

function account(
  text: (key: string, fallback?: string) => string,
  optional: (key: string, fallback?: string) => string,
  prefix: string,
  env: Environment,
): OpenStackAccount {
  const authUrl = text(`${prefix}authurl`, env.OS_AUTH_URL)
  const said = optional(`${prefix}auth_version`).replace(/\\.0$/, '')
  const version = said === '1' || said === '2' || said === '3' ? said : versionOf(authUrl)
  const id = optional(`${prefix}application_credential_id`, env.OS_APPLICATION_CREDENTIAL_ID)
  return {
    authUrl,
    version,
    user: id ? '' : text(`${prefix}user`, env.OS_USERNAME),
    password: id ? '' : text(`${prefix}password`, env.OS_PASSWORD),
    project: optional(`${prefix}tenant_name`, env.OS_PROJECT_NAME ?? env.OS_TENANT_NAME),
    region: optional(`${prefix}region_name`, env.OS_REGION_NAME),
    userDomain: optional(`${prefix}user_domain_name`, env.OS_USER_DOMAIN_NAME) || 'Default',
    projectDomain: optional(`${prefix}project_domain_name`, env.OS_PROJECT_DOMAIN_NAME) || 'Default',
    applicationCredential: id
      ? { id, secret: text(`${prefix}application_credential_secret`, env.OS_APPLICATION_CREDENTIAL_SECRET) }
      : null,
  }
}
