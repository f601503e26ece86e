import type { Flag } from './tables.ts'

/** A document that a service fetches as its policy; Identity does not read it. */
export interface PoliciesTable {
  id: string
  type: string
  blob: string
  extra: string
}

/** Where a policy applies: an endpoint, a service, or a service in a region. */
export interface PolicyAssociationsTable {
  /** `endpoint:<id>`, `service:<id>` or `service:<id>/region:<id>`: a place has one policy. */
  place: string
  policy_id: string
  endpoint_id: string | null
  service_id: string | null
  region_id: string | null
}

export interface EndpointGroupsTable {
  id: string
  name: string
  description: string | null
  /** JSON: `service_id`, `region_id`, `interface`, `enabled`. */
  filters: string
}

export interface ProjectEndpointsTable {
  project_id: string
  endpoint_id: string
}

export interface ProjectEndpointGroupsTable {
  project_id: string
  endpoint_group_id: string
}

export interface DomainOptionsTable {
  domain_id: string
  group_name: string
  option_name: string
  /** JSON. */
  value: string
  /** 1: written, never shown. */
  sensitive: Flag
}

export interface RegisteredLimitsTable {
  id: string
  service_id: string
  /** Empty for every region, so that the three that name a resource are unique together. */
  region_id: string
  resource_name: string
  default_limit: number
  description: string | null
}

export interface LimitsTable {
  id: string
  registered_limit_id: string
  /** One of the two. */
  project_id: string | null
  domain_id: string | null
  /** The one of the two that is set. */
  holder_id: string
  resource_limit: number
  description: string | null
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    identity_policies: PoliciesTable
    identity_policy_associations: PolicyAssociationsTable
    identity_endpoint_groups: EndpointGroupsTable
    identity_project_endpoints: ProjectEndpointsTable
    identity_project_endpoint_groups: ProjectEndpointGroupsTable
    identity_domain_options: DomainOptionsTable
    identity_registered_limits: RegisteredLimitsTable
    identity_limits: LimitsTable
  }
}
