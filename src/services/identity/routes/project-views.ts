import type { FastifyRequest } from 'fastify'
import type { Project } from '../db/projects.ts'
import { selfLink } from './shapes.ts'

export const projectView = (request: FastifyRequest) => (project: Project) => ({
  ...project.extra,
  id: project.id,
  name: project.name,
  domain_id: project.domainId,
  description: project.description,
  enabled: project.enabled,
  parent_id: project.parentId,
  is_domain: project.isDomain,
  tags: project.tags,
  options: project.options,
  links: selfLink(request, `projects/${project.id}`),
})

export const domainView = (request: FastifyRequest) => (domain: Project) => ({
  ...domain.extra,
  id: domain.id,
  name: domain.name,
  description: domain.description,
  enabled: domain.enabled,
  tags: domain.tags,
  options: domain.options,
  links: selfLink(request, `domains/${domain.id}`),
})
