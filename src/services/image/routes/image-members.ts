import { Type } from 'typebox'
import { seconds } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { MemberStatus } from '../db/tables.ts'
import type { Deps } from '../logic/images.ts'
import * as members from '../logic/members.ts'
import { allowFor } from './shared.ts'

type ById = { Params: { id: string } }
type ByMember = { Params: { id: string; member: string } }

const NewMember = Type.Object({ member: Type.String({ minLength: 1, maxLength: 255 }) })
const MemberChange = Type.Object({ status: Type.String() })
const statuses: readonly MemberStatus[] = ['pending', 'accepted', 'rejected']

/** Source: Image API v2 reference, "Sharing". */
export function imageMemberRoutes(app: App, deps: Deps): void {
  const route = (policy: string) => ({ exposeHeadRoute: false, config: { policy, check: 'handler' as const } })

  app.get<ById>('/v2/images/:id/members', route('get_members'), async (request) => {
    const found = await members.list(deps, request.ctx, request.params.id, allowFor(request))
    return { members: found.map(view), schema: '/v2/schemas/members' }
  })

  app.post('/v2/images/:id/members', { ...route('add_member'), schema: { body: NewMember } }, async (request) => {
    const { id } = request.params as ById['Params']
    return view(await members.add(deps, request.ctx, id, request.body.member, allowFor(request)))
  })

  app.get<ByMember>('/v2/images/:id/members/:member', route('get_member'), async (request) => {
    const { id, member } = request.params
    return view(await members.find(deps, request.ctx, id, member, allowFor(request)))
  })

  app.put(
    '/v2/images/:id/members/:member',
    { ...route('modify_member'), schema: { body: MemberChange } },
    async (request) => {
      const { id, member } = request.params as ByMember['Params']
      const status = statuses.find((one) => one === request.body.status)
      if (!status) {
        throw new CloudError('badRequest', `Incorrect request: Status must be one of ${statuses.join(', ')}.`)
      }
      return view(await members.setStatus(deps, request.ctx, id, member, status, allowFor(request)))
    },
  )

  app.delete<ByMember>('/v2/images/:id/members/:member', route('delete_member'), async (request, reply) => {
    const { id, member } = request.params
    await members.remove(deps, request.ctx, id, member, allowFor(request))
    return reply.code(204).send()
  })
}

const view = (member: members.Member) => ({
  member_id: member.memberId,
  image_id: member.imageId,
  status: member.status,
  created_at: seconds(member.createdAt),
  updated_at: seconds(member.updatedAt),
  schema: '/v2/schemas/member',
})
