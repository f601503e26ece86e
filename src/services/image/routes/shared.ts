import type { FastifyRequest } from 'fastify'
import type { Target } from '../../../platform/auth/policy.ts'
import { CloudError } from '../../../platform/errors.ts'
import { type App, PolicyRefusal } from '../../../platform/http/app.ts'
import { type Allow, type Image, noImage } from '../logic/images.ts'

/** What rules may read of an image. */
export const targetOf = (image: Image): Target => ({
  ...image.properties,
  id: image.id,
  name: image.name,
  owner: image.owner,
  project_id: image.owner,
  visibility: image.visibility,
  status: image.status,
  protected: image.protected,
  container_format: image.containerFormat,
  disk_format: image.diskFormat,
  member_id: null,
})

/** The policy, on images; one that may not even be shown does not exist. */
export function allowFor(request: FastifyRequest): Allow {
  return (rule, image, more) => {
    // Only images that are visible get here: a shared one's viewer is its owner or one of its members.
    const member = image.visibility === 'shared' ? { member_id: request.ctx.projectId } : {}
    const target = { ...targetOf(image), ...member, ...more }
    if (request.can(target, rule)) return
    if (rule === 'get_image' || (rule !== 'add_image' && !request.can(target, 'get_image'))) throw noImage(image.id)
    throw new PolicyRefusal(rule)
  }
}

/** Upstream says 405 for what a URL does not do, HEAD included. */
export function only(app: App, url: string, methods: readonly ('GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE')[]): void {
  const rest = (['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const).filter(
    (method) => method === 'HEAD' || !methods.includes(method),
  )
  app.route({
    method: rest,
    url,
    config: { policy: 'authenticated' },
    handler: async (_request, reply) => {
      reply.header('allow', methods.join(', '))
      throw new CloudError('notAllowed', 'The method is not allowed for this resource.')
    },
  })
}

/** `/v2/images/` is an image without an id, not the list of all: so upstream says, and a client's bug stays harmless. */
export function refuseTrailingSlash(app: App): void {
  app.addHook('onRequest', async (request) => {
    const path = request.url.split('?')[0] ?? ''
    if (path.length > 1 && path.endsWith('/')) throw new CloudError('notFound', 'The resource could not be found.')
  })
}
