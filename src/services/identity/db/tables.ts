/** 0 | 1: what both engines keep of a boolean. */
export type Flag = 0 | 1

/** Projects, and domains: a domain is a project that acts as one, as in Keystone. */
export interface ProjectsTable {
  id: string
  name: string
  /** Empty for a domain, so that its name is unique among domains. */
  domain_id: string
  /** Empty for a domain. A top-level project's parent is its domain. */
  parent_id: string
  is_domain: Flag
  enabled: Flag
  description: string
  /** `,one,two,`: a tag holds no comma, so `,one,` is found or not. */
  tags: string
  /** JSON, as `extra`: attributes that the API does not know and keeps. */
  options: string
  extra: string
}

export interface UsersTable {
  id: string
  domain_id: string
  name: string
  enabled: Flag
  default_project_id: string | null
  /** PHC string; null for a user who cannot log in by password. */
  password_hash: string | null
  password_created_at: string | null
  password_expires_at: string | null
  created_at: string
  options: string
  extra: string
}

export interface GroupsTable {
  id: string
  domain_id: string
  name: string
  description: string
  extra: string
}

export interface MembershipsTable {
  group_id: string
  user_id: string
}

export interface RolesTable {
  id: string
  /** Empty for a global role. */
  domain_id: string
  name: string
  description: string | null
  options: string
  extra: string
}

export interface ImpliedRolesTable {
  prior_role_id: string
  implied_role_id: string
}

export interface AssignmentsTable {
  actor_kind: 'user' | 'group'
  actor_id: string
  target_kind: 'project' | 'domain' | 'system'
  /** `system` where the target is the system. */
  target_id: string
  role_id: string
  /** 1: holds in the projects below the target, not on it. */
  inherited: Flag
}

export interface RegionsTable {
  id: string
  description: string
  parent_region_id: string | null
  extra: string
}

export interface ServicesTable {
  id: string
  type: string
  name: string | null
  description: string | null
  enabled: Flag
  extra: string
}

export interface EndpointsTable {
  id: string
  service_id: string
  region_id: string | null
  interface: string
  /** With `%(project_id)s` and the like where the caller's project belongs. */
  url: string
  enabled: Flag
  extra: string
}

export interface RevocationsTable {
  id: string
  audit_id: string | null
  user_id: string | null
  role_id: string | null
  scope: string | null
  domain_id: string | null
  issued_before_ms: number
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    identity_projects: ProjectsTable
    identity_users: UsersTable
    identity_groups: GroupsTable
    identity_memberships: MembershipsTable
    identity_roles: RolesTable
    identity_implied_roles: ImpliedRolesTable
    identity_assignments: AssignmentsTable
    identity_regions: RegionsTable
    identity_services: ServicesTable
    identity_endpoints: EndpointsTable
    identity_revocations: RevocationsTable
  }
}
