import type { Flag } from './tables.ts'

export interface IdentityProvidersTable {
  id: string
  /** Of its users. */
  domain_id: string
  enabled: Flag
  description: string | null
  /** Minutes that memberships which it brought are kept; null or 0: no longer than the token. */
  authorization_ttl: number | null
}

export interface RemoteIdsTable {
  remote_id: string
  idp_id: string
}

export interface MappingsTable {
  id: string
  /** JSON. */
  rules: string
}

export interface FederationProtocolsTable {
  idp_id: string
  id: string
  mapping_id: string
  remote_id_attribute: string | null
}

/** Who somebody of another place is here. */
export interface FederatedUsersTable {
  idp_id: string
  protocol_id: string
  unique_id: string
  user_id: string
}

/** Beside the membership itself: when it ends. */
export interface ExpiringMembershipsTable {
  group_id: string
  user_id: string
  expires_at_ms: number
}

export interface ServiceProvidersTable {
  id: string
  auth_url: string
  sp_url: string
  description: string | null
  enabled: Flag
  relay_state_prefix: string
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    identity_identity_providers: IdentityProvidersTable
    identity_remote_ids: RemoteIdsTable
    identity_mappings: MappingsTable
    identity_federation_protocols: FederationProtocolsTable
    identity_federated_users: FederatedUsersTable
    identity_expiring_memberships: ExpiringMembershipsTable
    identity_service_providers: ServiceProvidersTable
  }
}
