import type { Context } from '../../../platform/auth/context.ts'
import type { Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as memberRows from '../db/members.ts'
import type { MemberStatus } from '../db/tables.ts'
import { type Allow, type Deps, get, type Image } from './images.ts'

export type Member = memberRows.Member

/** Upstream's `image_member_quota`. */
const mostMembers = 128

async function sharedImage(db: Db, ctx: Context, id: string): Promise<Image> {
  const image = await get(db, ctx, id)
  if (image.visibility !== 'shared') throw new CloudError('forbidden', 'Only shared images have members.')
  return image
}

/** Members see only themselves. */
export async function list({ database }: Deps, ctx: Context, id: string, allow: Allow): Promise<Member[]> {
  const image = await sharedImage(database.read, ctx, id)
  allow('get_members', image, { member_id: ctx.projectId })
  const members = await memberRows.list(database.read, id)
  return ctx.isAdmin || image.owner === ctx.projectId
    ? members
    : members.filter(({ memberId }) => memberId === ctx.projectId)
}

export async function find(deps: Deps, ctx: Context, id: string, memberId: string, allow: Allow): Promise<Member> {
  const image = await sharedImage(deps.database.read, ctx, id)
  const member = (await memberRows.list(deps.database.read, id)).find((one) => one.memberId === memberId)
  if (!member) throw noMember(id, memberId)
  allow('get_member', image, { member_id: memberId })
  return member
}

const noMember = (id: string, memberId: string): CloudError =>
  new CloudError('notFound', `${memberId} not found in the member list of the image ${id}.`)

export async function add(deps: Deps, ctx: Context, id: string, memberId: string, allow: Allow): Promise<Member> {
  return deps.database.write(async (trx) => {
    const image = await sharedImage(trx, ctx, id)
    allow('add_member', image)
    const now = deps.clock.now()
    const count = (await memberRows.list(trx, id)).length
    if (count >= mostMembers) {
      throw new CloudError(
        'tooLarge',
        `The limit has been exceeded on the number of allowed image members for this image. Attempted: ${count + 1}, Maximum: ${mostMembers}`,
      )
    }
    const member: Member = { imageId: id, memberId, status: 'pending', createdAt: now, updatedAt: now }
    if (await memberRows.insert(trx, member)) return member
    throw new CloudError('conflict', `Member ${memberId} is duplicated for image ${id}`)
  })
}

/** What a member thinks of the image; only accepted ones stand in its lists. */
export async function setStatus(
  deps: Deps,
  ctx: Context,
  id: string,
  memberId: string,
  status: MemberStatus,
  allow: Allow,
): Promise<Member> {
  return deps.database.write(async (trx) => {
    const image = await sharedImage(trx, ctx, id)
    const member = (await memberRows.list(trx, id)).find((one) => one.memberId === memberId)
    if (!member) throw noMember(id, memberId)
    allow('modify_member', image, { member_id: memberId })
    const changed = { ...member, status, updatedAt: deps.clock.now() }
    await memberRows.setStatus(trx, changed)
    return changed
  })
}

export async function remove(deps: Deps, ctx: Context, id: string, memberId: string, allow: Allow): Promise<void> {
  await deps.database.write(async (trx) => {
    const image = await sharedImage(trx, ctx, id)
    allow('delete_member', image)
    if (!(await memberRows.list(trx, id)).some((one) => one.memberId === memberId)) throw noMember(id, memberId)
    await memberRows.remove(trx, id, memberId)
  })
}
