import type { Generated } from 'kysely'
import type { ServerWish } from '../messages.ts'

/** Nova's `vm_state`: what a server is, as far as the control side knows. */
export type VmState =
  | 'building'
  | 'active'
  | 'stopped'
  | 'paused'
  | 'suspended'
  | 'resized'
  | 'rescued'
  | 'soft-delete'
  | 'shelved'
  | 'shelved_offloaded'
  | 'error'
  | 'deleted'

/** Nova's `task_state`: what is being done about it; null when it is as wanted. */
export type TaskState =
  | 'scheduling'
  | 'spawning'
  | 'powering-off'
  | 'powering-on'
  | 'rebooting'
  | 'rebooting_hard'
  | 'pausing'
  | 'unpausing'
  | 'rebuilding'
  | 'suspending'
  | 'resuming'
  | 'rescuing'
  | 'unrescuing'
  | 'soft-deleting'
  | 'restoring'
  | 'resize_prep'
  | 'resize_migrating'
  | 'resize_finish'
  | 'resize_reverting'
  | 'shelving'
  | 'shelving_image_uploading'
  | 'shelving_offloading'
  | 'unshelving'
  | 'updating_password'
  | 'deleting'
  | 'image_backup'
  | 'image_snapshot'
  | 'image_pending_upload'
  | 'image_uploading'

export interface ServersTable {
  id: string
  project_id: string
  user_id: string
  name: string
  hostname: string
  description: string | null
  vm_state: VmState
  task_state: TaskState | null
  /** Nova's number: 0 none, 1 running, 3 paused, 4 shut down. */
  power_state: number
  /** What is wanted of the host, and by which order; `seen_generation` is the last order carried out (or given up). */
  wish: ServerWish
  /** What the server is once the wish is reached; null when the wish says it all. */
  goal: VmState | null
  generation: number
  seen_generation: number
  boot_epoch: number
  boot_kind: 'soft' | 'hard'
  /** Counts rebuilds: a container of an older one is made anew. */
  build_epoch: number
  /** null until a host is claimed, and for good when none had room. */
  host: string | null
  availability_zone: string | null
  image_id: string
  /** JSON: `ServerImage`. */
  image: string
  flavor_id: string
  /** JSON: `ServerFlavor`, the flavor as it was when the server was made. */
  flavor: string
  /** JSON: the flavor to go back to, while a resize is not confirmed. */
  old_flavor: string | null
  /** JSON: `ServerImage` that runs in the server's place while it is rescued. */
  rescue: string | null
  /** When a deleted server that can still be restored goes for good (ms since 1970). */
  reclaim_at_ms: number | null
  /** The image that holds a shelved server. */
  shelved_image_id: string | null
  vcpus: number
  memory_mib: number
  disk_gib: number
  key_name: string | null
  user_data: string | null
  config_drive: 0 | 1
  disk_config: 'AUTO' | 'MANUAL'
  access_ip_v4: string | null
  access_ip_v6: string | null
  locked_by: 'owner' | 'admin' | null
  locked_reason: string | null
  progress: number
  reservation_id: string
  launch_index: number
  /** JSON: `ServerFault`. */
  fault: string | null
  /** JSON: how the first process ended. */
  exit: string | null
  container_id: string | null
  /** Failed attempts at the current order, and when the next may be made (ms since 1970). */
  tries: number
  retry_at_ms: number | null
  /** The action that the current order carries out. */
  action_id: string | null
  created_at: string
  updated_at: string
  launched_at: string | null
  deleted_at: string | null
  deleted: 0 | 1
}

export interface ServerMetadataTable {
  server_id: string
  key: string
  value: string
}

export interface ServerTagsTable {
  server_id: string
  tag: string
}

export interface FlavorsTable {
  id: string
  name: string
  vcpus: number
  memory_mib: number
  disk_gib: number
  ephemeral_gib: number
  swap_mib: number
  rxtx_factor: number
  is_public: 0 | 1
  description: string | null
  created_at: string
  updated_at: string | null
}

export interface FlavorSpecsTable {
  flavor_id: string
  key: string
  value: string
}

export interface FlavorAccessTable {
  flavor_id: string
  project_id: string
}

export interface KeypairsTable {
  user_id: string
  name: string
  type: 'ssh' | 'x509'
  public_key: string
  fingerprint: string
  /** A number of its own, as the API shows one. */
  number: number
  created_at: string
}

export interface ServicesTable {
  id: string
  /** What the API of before 2.53 calls the id, for the service and its hypervisor alike. */
  number: number
  host: string
  hypervisor_id: string
  disabled: 0 | 1
  disabled_reason: string | null
  forced_down: 0 | 1
  /** Servers it could not make since the last that it made. */
  failed_builds: Generated<number>
  created_at: string
  updated_at: string
}

export interface ActionsTable {
  id: string
  server_id: string
  request_id: string
  action: string
  user_id: string
  project_id: string
  message: string | null
  started_at: string
  updated_at: string
}

export interface ActionEventsTable {
  action_id: string
  event: string
  host: string | null
  started_at: string
  finished_at: string | null
  result: 'Success' | 'Error' | null
  details: string | null
}

export interface SnapshotsTable {
  id: string
  server_id: string
  image_id: string
  host: string
  user_id: string
  project_id: string
  action_id: string
  tries: number
  retry_at_ms: number | null
  /** 1 while the image is wanted; 0 once it was made or given up. */
  open: 0 | 1
  message: string | null
  /** Of a backup: its kind, and how many of that kind are kept. */
  backup_type: string | null
  rotation: number | null
  created_at: string
  updated_at: string
}

export interface MigrationsTable {
  id: number
  uuid: string
  server_id: string
  host: string
  /** Where it goes; null: nowhere, the host only changes the limits. */
  dest_host: string | null
  type: 'resize' | 'migration' | 'evacuation' | 'live-migration'
  /** The image that carries the files from one host to the other. */
  image_id: string | null
  /** JSON: what the server was, for going back. */
  before: string | null
  status: string
  old_flavor_number: number
  new_flavor_number: number
  user_id: string
  project_id: string
  created_at: string
  updated_at: string
}

/** A NIC that has a tag, or is on its way in or out. */
export interface InterfacesTable {
  port_id: string
  server_id: string
  tag: string | null
  change: 'attach' | 'detach' | null
  /** The order that makes the change, and the action it is part of. */
  generation: number
  action_id: string | null
}

export interface QuotasTable {
  project_id: string
  resource: string
  hard_limit: number
}

export interface ServerGroupsTable {
  id: string
  project_id: string
  user_id: string
  name: string
  policy: string
  /** JSON. */
  rules: string
  created_at: string
}

export interface ServerGroupMembersTable {
  server_id: string
  group_id: string
}

export interface AggregatesTable {
  id: number
  uuid: string
  name: string
  /** JSON: keys and values. */
  metadata: string
  created_at: string
  updated_at: string | null
  deleted: 0 | 1
}

export interface AggregateHostsTable {
  aggregate_id: number
  host: string
}

/** What a server is told about itself that stands in no other table; no row where there is none of it. */
export interface GuestDataTable {
  server_id: string
  /** JSON: `GuestKey`, the key pair as it was when the server was made. */
  key: string | null
  /** JSON: `GuestFile[]`. */
  files: string
  /** Set by the server itself, encrypted with its key pair. */
  password: string | null
}

export interface DecisionsTable {
  server_id: string
  /** JSON: why the server is where it is. */
  decision: string
}

export interface ConsoleTokensTable {
  /** SHA-256 of the token, which is a key to a server's terminal. */
  hash: string
  server_id: string
  console_type: string
  expires_at_ms: number
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    compute_servers: ServersTable
    compute_decisions: DecisionsTable
    compute_server_metadata: ServerMetadataTable
    compute_server_tags: ServerTagsTable
    compute_flavors: FlavorsTable
    compute_flavor_specs: FlavorSpecsTable
    compute_flavor_access: FlavorAccessTable
    compute_keypairs: KeypairsTable
    compute_services: ServicesTable
    compute_actions: ActionsTable
    compute_action_events: ActionEventsTable
    compute_snapshots: SnapshotsTable
    compute_interfaces: InterfacesTable
    compute_quotas: QuotasTable
    compute_server_groups: ServerGroupsTable
    compute_server_group_members: ServerGroupMembersTable
    compute_migrations: MigrationsTable
    compute_aggregates: AggregatesTable
    compute_aggregate_hosts: AggregateHostsTable
    compute_guest_data: GuestDataTable
    compute_console_tokens: ConsoleTokensTable
  }
}
