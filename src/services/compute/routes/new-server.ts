import { randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import { check } from '../../../platform/http/validation.ts'
import { dashed } from '../../../platform/ids.ts'
import type { WantedNetworks } from '../logic/deps.ts'
import type { NewServers } from '../logic/servers.ts'
import { checkBlockDevices } from './block-devices.ts'
import {
  Boolish,
  Count,
  canonicalIpV6,
  countOf,
  Description,
  IpAddress,
  isBase64,
  isTrue,
  Metadata,
  Name,
  Tag,
  Uuid,
  versioned,
} from './common.ts'
import { filesOf, Personality, type PersonalityFile } from './personality.ts'

interface Hinted {
  group?: string
  same_host?: string | string[]
  different_host?: string | string[]
  query?: string | unknown[]
  build_near_host_ip?: string
  cidr?: string
}

interface NewServerBody {
  server: {
    name: string
    imageRef?: string
    flavorRef: string | number
    adminPass?: string
    metadata?: Record<string, string>
    networks?: 'auto' | 'none' | { uuid?: string; port?: string | null; fixed_ip?: string; tag?: string }[]
    'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL'
    accessIPv4?: string
    accessIPv6?: string
    personality?: PersonalityFile[]
    availability_zone?: string
    block_device_mapping?: Record<string, unknown>[]
    block_device_mapping_v2?: Record<string, unknown>[]
    config_drive?: boolean | string
    key_name?: string
    min_count?: number | string
    max_count?: number | string
    return_reservation_id?: boolean | string
    security_groups?: { name?: string }[]
    user_data?: string
    description?: string | null
    tags?: string[]
    trusted_image_certificates?: string[] | null
    host?: string
    hypervisor_hostname?: string
    hostname?: string
  }
  'os:scheduler_hints'?: Hinted
  'OS-SCH-HNT:scheduler_hints'?: Hinted
}

const strict = { additionalProperties: false }
const Hostname = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-._]*$' })

const Ids = Type.Union([Uuid, Type.Array(Uuid)])
/** Hints that nothing here reads are let pass, as the API says. */
const Hints = Type.Object({
  group: Type.Optional(Uuid),
  same_host: Type.Optional(Ids),
  different_host: Type.Optional(Ids),
  query: Type.Optional(Type.Union([Type.String(), Type.Array(Type.Unknown())])),
  build_near_host_ip: Type.Optional(Type.String()),
  cidr: Type.Optional(Type.String({ pattern: '^/[0-9a-f.:]+$' })),
})

/** Breakpoints are those microversions at which the body changed. */
const newServer = versioned(
  ['2.1', '2.19', '2.32', '2.33', '2.37', '2.42', '2.52', '2.57', '2.63', '2.67', '2.74', '2.90'],
  (at) => {
    const fixed_ip = Type.Optional(IpAddress)
    const port = Type.Optional(Type.Union([Uuid, Type.Null()]))
    const uuid = Type.Optional(at('2.37') ? Uuid : Type.String())
    const nicTag = (at('2.32') && !at('2.37')) || at('2.42') ? { tag: Type.Optional(Tag) } : {}
    const nics = Type.Array(Type.Object({ fixed_ip, port, uuid, ...nicTag }, strict))
    return Type.Object(
      {
        server: Type.Object(
          {
            name: Name,
            imageRef: Type.Optional(Type.Union([Uuid, Type.Literal('')])),
            flavorRef: Type.Union([Type.String({ minLength: 1 }), Type.Integer()]),
            adminPass: Type.Optional(Type.String()),
            metadata: Type.Optional(Metadata),
            networks: at('2.37') ? Type.Union([nics, Type.Enum(['none', 'auto'])]) : Type.Optional(nics),
            'OS-DCF:diskConfig': Type.Optional(Type.Enum(['AUTO', 'MANUAL'])),
            accessIPv4: Type.Optional(Type.String({ format: 'ipv4' })),
            accessIPv6: Type.Optional(Type.String({ format: 'ipv6' })),
            availability_zone: Type.Optional(Name),
            block_device_mapping: Type.Optional(Type.Array(Type.Object({}))),
            block_device_mapping_v2: Type.Optional(Type.Array(Type.Object({}))),
            config_drive: Type.Optional(Boolish),
            key_name: Type.Optional(Name),
            min_count: Type.Optional(Count(1)),
            max_count: Type.Optional(Count(1)),
            return_reservation_id: Type.Optional(Boolish),
            security_groups: Type.Optional(Type.Array(Type.Object({ name: Type.Optional(Name) }, strict))),
            user_data: Type.Optional(Type.String({ maxLength: 65535 })),
            ...(at('2.57')
              ? {}
              : {
                  personality: Type.Optional(Personality),
                }),
            ...(at('2.19') ? { description: Type.Optional(Description) } : {}),
            ...(at('2.52') ? { tags: Type.Optional(Type.Array(Tag, { maxItems: 50 })) } : {}),
            ...(at('2.63')
              ? {
                  trusted_image_certificates: Type.Optional(
                    Type.Union([
                      Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 50, uniqueItems: true }),
                      Type.Null(),
                    ]),
                  ),
                }
              : {}),
            ...(at('2.74') ? { host: Type.Optional(Hostname), hypervisor_hostname: Type.Optional(Hostname) } : {}),
            ...(at('2.90')
              ? {
                  hostname: Type.Optional(
                    Type.String({ minLength: 2, maxLength: 63, pattern: '^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$' }),
                  ),
                }
              : {}),
          },
          strict,
        ),
        'os:scheduler_hints': Type.Optional(Hints),
        'OS-SCH-HNT:scheduler_hints': Type.Optional(Hints),
      },
      strict,
    )
  },
)

/** For the list of routes. */
export const newServerBodies = newServer.schemas

export interface ParsedNewServer {
  wanted: NewServers
  returnReservationId: boolean
  securityGroups: { name: string }[]
  adminPass: string
}

/**
 * The body of `POST /servers` as the request's microversion reads it, checked as far as it can be without a database.
 * Source: Compute API reference, "Create server".
 */
export function parseNewServer(request: FastifyRequest): ParsedNewServer {
  const body = check<NewServerBody>(newServer(request.microversion), request.body)
  const { server } = body
  const hints = body['os:scheduler_hints'] ?? body['OS-SCH-HNT:scheduler_hints'] ?? {}
  const minCount = countOf(server.min_count ?? 1, 'min_count', 1)
  const maxCount = countOf(server.max_count ?? minCount, 'max_count', 1)
  if (minCount > maxCount) throw new CloudError('badRequest', 'min_count must be <= max_count')
  if (server.user_data !== undefined && !isBase64(server.user_data)) {
    throw new CloudError('badRequest', 'User data needs to be valid base 64.')
  }
  if (server.trusted_image_certificates) {
    throw new CloudError('badRequest', 'Image signatures are not validated here; leave trusted_image_certificates out.')
  }
  if (server.hostname !== undefined && maxCount > 1) {
    throw new CloudError('badRequest', 'Unable to allocate a single hostname to multiple instances')
  }
  const imageId = checkBlockDevices(server) ?? server.imageRef
  if (!imageId) throw new CloudError('badRequest', 'Invalid imageRef provided.')
  const { zone, host } = destination(request, server)
  const groups = [...new Set((server.security_groups ?? []).flatMap((group) => group.name ?? []))]
  return {
    wanted: {
      name: server.name.trim(),
      hostname: server.hostname ?? null,
      description: server.description ?? (request.microversion < 2019 ? server.name.trim() : null),
      imageId: dashed(imageId),
      flavorId: String(server.flavorRef).split('/').at(-1)!,
      ...{ minCount, maxCount },
      networks: networksOf(server.networks, maxCount),
      securityGroups: groups,
      keyName: server.key_name ?? null,
      metadata: server.metadata ?? {},
      tags: server.tags ?? [],
      nicTags: typeof server.networks === 'string' ? [] : (server.networks ?? []).map(({ tag }) => tag ?? null),
      files: filesOf(server.personality ?? []),
      userData: server.user_data ?? null,
      configDrive: isTrue(server.config_drive),
      diskConfig: server['OS-DCF:diskConfig'] ?? 'MANUAL',
      accessIpV4: server.accessIPv4 ?? null,
      accessIpV6: server.accessIPv6 === undefined ? null : canonicalIpV6(server.accessIPv6),
      zone,
      forcedHost: host,
      ...hintsOf(hints),
      zeroDiskAllowed: request.can(
        { project_id: request.ctx.projectId },
        'os_compute_api:servers:create:zero_disk_flavor',
      ),
    },
    returnReservationId: isTrue(server.return_reservation_id),
    securityGroups: (groups.length > 0 ? groups : ['default']).map((name) => ({ name })),
    adminPass: server.adminPass ?? newPassword(),
  }
}

const hintsOf = ({ group, same_host = [], different_host = [], query, build_near_host_ip, cidr }: Hinted) => ({
  hints: {
    ...(query === undefined ? {} : { query: typeof query === 'string' ? query : JSON.stringify(query) }),
    ...(build_near_host_ip === undefined ? {} : { build_near_host_ip }),
    ...(cidr === undefined ? {} : { cidr }),
  },
  groupId: group === undefined ? null : dashed(group),
  sameHostAs: [same_host].flat().map(dashed),
  differentHostFrom: [different_host].flat().map(dashed),
})

/** `zone`, `zone:host`, `zone:host:node`, or the newer `host`; only an administrator may name a host. */
function destination(request: FastifyRequest, server: NewServerBody['server']) {
  const [zone, host, node, ...rest] = (server.availability_zone ?? '').split(':')
  if (rest.length > 0) throw new CloudError('badRequest', 'Unable to parse availability_zone')
  const target = { project_id: request.ctx.projectId, user_id: request.ctx.userId }
  if (host || node) request.enforce(target, 'os_compute_api:servers:create:forced_host')
  const asked = server.host ?? server.hypervisor_hostname
  if (asked) {
    request.enforce(target, 'compute:servers:create:requested_destination')
    if (host || node) {
      const text =
        'One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are mutually exclusive.'
      throw new CloudError('badRequest', text)
    }
    if (server.host && server.hypervisor_hostname && server.host !== server.hypervisor_hostname) {
      throw new CloudError('badRequest', `Compute host ${server.host} has no node ${server.hypervisor_hostname}.`)
    }
  }
  return { zone: zone || null, host: asked ?? (host || node || null) }
}

function networksOf(networks: NewServerBody['server']['networks'], maxCount: number): WantedNetworks {
  if (networks === undefined) return 'auto'
  if (typeof networks === 'string') return networks
  const ports = networks.flatMap(({ port }) => port ?? [])
  const twice = ports.find((port, i) => ports.indexOf(port) !== i)
  if (twice) {
    const text = `Port ID '${twice}' was specified twice: you cannot attach a port multiple times.`
    throw new CloudError('badRequest', text)
  }
  if (ports.length > 0 && maxCount > 1) {
    throw new CloudError(
      'badRequest',
      'Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.',
    )
  }
  if (networks.length === 0) return 'auto'
  return networks.map(({ uuid, port, fixed_ip }) => {
    if (port) {
      if (fixed_ip === undefined) return { portId: dashed(port) }
      const text = `Specified Fixed IP '${fixed_ip}' cannot be used with port '${port}': the two cannot be specified together.`
      throw new CloudError('badRequest', text)
    }
    if (uuid === undefined) throw new CloudError('badRequest', "Bad network format: missing 'uuid'")
    if (!/^[0-9a-f-]{32,36}$/i.test(uuid)) {
      throw new CloudError('badRequest', `Bad networks format: network uuid is not in proper format (${uuid})`)
    }
    if (fixed_ip !== undefined && maxCount > 1) {
      throw new CloudError(
        'badRequest',
        'Failed to launch instances: max_count cannot be greater than 1 if an fixed_ip is specified.',
      )
    }
    return { networkId: dashed(uuid), ...(fixed_ip === undefined ? {} : { fixedIp: fixed_ip }) }
  })
}

/** No letter or digit that is easily taken for another. */
const letters = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
export const newPassword = (): string => [...randomBytes(12)].map((byte) => letters[byte % letters.length]).join('')
