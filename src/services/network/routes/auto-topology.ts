import type { FastifyRequest } from 'fastify'
import type { App } from '../../../platform/http/app.ts'
import * as topology from '../logic/auto-topology.ts'
import type { Deps } from '../logic/deps.ts'
import { malformed } from '../logic/errors.ts'

/** Source: Network API reference, "Auto-allocated topology". */
export function autoTopologyRoutes(app: App, deps: Deps): void {
  const path = '/v2.0/auto-allocated-topology/:project'
  const rule = (policy: string) => ({ config: { policy, check: 'handler' } as const })
  /** `None` is the caller's own project. */
  function projectOf(request: FastifyRequest): string {
    const { project } = request.params as { project: string }
    const id = /^(none|null)$/i.test(project) ? request.ctx.projectId : project
    if (id === null) throw malformed('The request has no project')
    request.enforce({ project_id: id, tenant_id: id })
    return id
  }

  app.get(path, rule('get_auto_allocated_topology'), async (request) => {
    const project = projectOf(request)
    const dry = (request.query as { fields?: string | string[] }).fields
    if ([dry].flat().includes('dry-run')) {
      await topology.requirements(deps.database.read)
      return { auto_allocated_topology: { id: 'dry-run=pass', tenant_id: project } }
    }
    const id = await topology.ensure(deps, project)
    return { auto_allocated_topology: { id, tenant_id: project, project_id: project } }
  })
  app.delete(path, rule('delete_auto_allocated_topology'), async (request, reply) => {
    await topology.remove(deps, projectOf(request))
    return reply.code(204).send()
  })
}
