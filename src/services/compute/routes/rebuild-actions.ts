import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import { check } from '../../../platform/http/validation.ts'
import { dashed } from '../../../platform/ids.ts'
import type { Server } from '../db/servers.ts'
import { rebuild } from '../logic/rebuild.ts'
import * as resizing from '../logic/resize.ts'
import * as shelving from '../logic/shelve.ts'
import { type ActionHandlers, does, strict } from './action-handler.ts'
import { Boolish, canonicalIpV6, Description, isBase64, Metadata, Name, since, Uuid, versioned } from './common.ts'
import { newPassword } from './new-server.ts'
import { filesOf, Personality, type PersonalityFile } from './personality.ts'
import { detailView, loadBeside } from './server-view.ts'

const rebuilt = versioned(['2.1', '2.19', '2.54', '2.57', '2.63', '2.90', '2.94'], (at) =>
  Type.Object(
    {
      imageRef: Uuid,
      name: Type.Optional(Name),
      adminPass: Type.Optional(Type.String()),
      metadata: Type.Optional(Metadata),
      'OS-DCF:diskConfig': Type.Optional(Type.Enum(['AUTO', 'MANUAL'])),
      accessIPv4: Type.Optional(Type.String({ format: 'ipv4' })),
      accessIPv6: Type.Optional(Type.String({ format: 'ipv6' })),
      preserve_ephemeral: Type.Optional(Boolish),
      ...(at('2.57')
        ? { user_data: Type.Optional(Type.Union([Type.String({ maxLength: 65535 }), Type.Null()])) }
        : { personality: Type.Optional(Personality) }),
      ...(at('2.19') ? { description: Type.Optional(Description) } : {}),
      ...(at('2.54') ? { key_name: Type.Optional(Type.Union([Name, Type.Null()])) } : {}),
      ...(at('2.63')
        ? {
            trusted_image_certificates: Type.Optional(
              Type.Union([Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 50 }), Type.Null()]),
            ),
          }
        : {}),
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
)

interface Rebuilt {
  imageRef: string
  name?: string
  adminPass?: string
  metadata?: Record<string, string>
  'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL'
  accessIPv4?: string
  accessIPv6?: string
  personality?: PersonalityFile[]
  user_data?: string | null
  description?: string | null
  key_name?: string | null
  trusted_image_certificates?: string[] | null
  hostname?: string
}

function changesOf(body: Rebuilt): Partial<Server> {
  if (body.trusted_image_certificates) {
    const text = 'Image signatures are not validated here; leave trusted_image_certificates out.'
    throw new CloudError('badRequest', text)
  }
  if (body.user_data && !isBase64(body.user_data)) {
    throw new CloudError('badRequest', 'User data needs to be valid base 64.')
  }
  return {
    ...(body.name === undefined ? {} : { name: body.name.trim() }),
    ...(body.hostname === undefined ? {} : { hostname: body.hostname }),
    ...(body.description === undefined ? {} : { description: body.description }),
    ...(body['OS-DCF:diskConfig'] === undefined ? {} : { diskConfig: body['OS-DCF:diskConfig'] }),
    ...(body.accessIPv4 === undefined ? {} : { accessIpV4: body.accessIPv4 }),
    ...(body.accessIPv6 === undefined ? {} : { accessIpV6: canonicalIpV6(body.accessIPv6) }),
    ...(body.key_name === undefined ? {} : { keyName: body.key_name }),
    ...(body.user_data === undefined ? {} : { userData: body.user_data }),
  }
}

/** Source: Compute API reference, "Servers - run an action": rebuild, resize, shelve. */
export const rebuildActions: ActionHandlers = {
  rebuild: {
    policy: 'os_compute_api:servers:rebuild',
    schema: Type.Unknown(),
    async run(deps, request, reply, before, value: unknown) {
      const body = check<Rebuilt>(rebuilt(request.microversion), value)
      const wanted = {
        ...{ imageId: dashed(body.imageRef), changes: changesOf(body), metadata: body.metadata ?? null },
        files: filesOf(body.personality ?? []),
      }
      const server = await rebuild(deps, request.ctx, before.id, wanted)
      const beside = await loadBeside(deps, deps.ground.database.read, request, [server], 'one')
      const view = detailView(request, server, beside, {
        serverGroups: true,
        allAttributes: since(request, '2.75'),
      })
      if (since(request, '2.54')) view.key_name = server.keyName
      if (since(request, '2.57')) view.user_data = server.userData
      // Said once: this answer has it under its short name.
      delete view['OS-EXT-SRV-ATTR:user_data']
      reply.code(202).header('location', `${(view.links as { href: string }[])[0]?.href}`)
      return { server: { ...view, adminPass: body.adminPass ?? newPassword() } }
    },
  },

  resize: does<Resized>(
    'servers:resize',
    async (deps, request, server, wanted) => {
      const flavorId = String(wanted.flavorRef).split('/').at(-1)!
      const diskConfig = wanted['OS-DCF:diskConfig'] ?? server.diskConfig
      await resizing.resize(deps, request.ctx, server.id, { flavorId, diskConfig })
    },
    {
      schema: Type.Object(
        {
          flavorRef: Type.Union([Type.String({ minLength: 1 }), Type.Integer()]),
          'OS-DCF:diskConfig': Type.Optional(Type.Enum(['AUTO', 'MANUAL'])),
        },
        strict,
      ),
    },
  ),
  confirmResize: does(
    'servers:confirm_resize',
    (deps, request, server) => resizing.confirm(deps, request.ctx, server.id),
    { status: 204 },
  ),
  revertResize: does('servers:revert_resize', (deps, request, server) => resizing.revert(deps, request.ctx, server.id)),

  shelve: does('os-shelve:shelve', (deps, request, server) => shelving.shelve(deps, request.ctx, server.id)),
  shelveOffload: does('os-shelve:shelve_offload', (deps, request, server) =>
    shelving.offload(deps, request.ctx, server.id),
  ),
  unshelve: does('os-shelve:unshelve', async (deps, request, server, value) => {
    // Before 2.77 whatever stood there meant nothing.
    const body = since(request, '2.77') ? check<Unshelved | null>(unshelved(request.microversion), value) : null
    if (body?.host) request.enforce({}, 'os_compute_api:os-shelve:unshelve_to_host')
    const wanted = { zone: body?.availability_zone ?? null, host: body?.host ?? null }
    await shelving.unshelve(deps, request.ctx, server.id, wanted)
  }),
}

interface Resized {
  flavorRef: string | number
  'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL'
}
interface Unshelved {
  availability_zone?: string | null
  host?: string
}
const unshelved = versioned(['2.77', '2.91'], (at) =>
  Type.Union([
    Type.Null(),
    Type.Object(
      {
        availability_zone: Type.Optional(at('2.91') ? Type.Union([Name, Type.Null()]) : Name),
        ...(at('2.91') ? { host: Type.Optional(Name) } : {}),
      },
      { ...strict, minProperties: 1 },
    ),
  ]),
)
