import type { App } from '../../../platform/http/app.ts'
import * as projectRows from '../db/projects.ts'
import { catalogFor } from '../logic/catalog.ts'
import type { Deps } from '../logic/deps.ts'
import { domainsOf, projectsOf, rolesIn } from '../logic/effective-roles.ts'
import { forbidden } from '../logic/refusals.ts'
import { domainView, projectView } from './project-views.ts'
import { listed, selfLink } from './shapes.ts'

/** What the caller's own token can reach. Source: Identity API reference, "Authentication and token management". */
export function authRoutes(app: App, { database }: Deps): void {
  const db = database.read

  app.get('/v3/auth/catalog', { config: { policy: 'identity:get_auth_catalog' } }, async (request) => {
    const { projectId, userId } = request.ctx
    if (projectId === null) throw forbidden('A project-scoped token is required to produce a service catalog.')
    return { catalog: await catalogFor(db, projectId, userId), links: selfLink(request, 'auth/catalog') }
  })

  for (const place of ['auth', 'OS-FEDERATION'])
    app.get(`/v3/${place}/projects`, { config: { policy: 'identity:get_auth_projects' } }, async (request) => {
      const projects = (await projectsOf(db, request.ctx.userId, request.ctx.federation?.groupIds)).filter(
        (project) => project.enabled,
      )
      const domains = await projectRows.findAll(db, [...new Set(projects.flatMap(({ domainId }) => domainId ?? []))])
      const shut = new Set(domains.filter((domain) => !domain.enabled).map((domain) => domain.id))
      const open = projects.filter(({ domainId }) => domainId === null || !shut.has(domainId))
      return listed(request, 'projects', open, projectView(request))
    })

  for (const place of ['auth', 'OS-FEDERATION'])
    app.get(`/v3/${place}/domains`, { config: { policy: 'identity:get_auth_domains' } }, async (request) => {
      const domains = (await domainsOf(db, request.ctx.userId, request.ctx.federation?.groupIds)).filter(
        (domain) => domain.enabled,
      )
      return listed(request, 'domains', domains, domainView(request))
    })

  app.get('/v3/auth/system', { config: { policy: 'identity:get_auth_system' } }, async (request) => {
    const roles = await rolesIn(db, request.ctx.userId, { kind: 'system' }, request.ctx.federation?.groupIds)
    return { system: roles.length > 0 ? [{ all: true }] : [], links: selfLink(request, 'auth/system') }
  })
}
