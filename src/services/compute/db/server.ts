import type { Selectable } from 'kysely'
import type { ServerReport, ServerWish } from '../messages.ts'
import type { ServersTable, TaskState, VmState } from './tables.ts'

/** What a server keeps of its image: enough to run it again when the image is long gone. */
export interface ServerImage {
  reference: string
  configDigest: string
  repository: string
  containerFormat: string
  diskFormat: string
  minDiskGiB: number
  minRamMiB: number
  properties: Readonly<Record<string, string>>
}

/** The flavor as it was when the server was made; later changes to the flavor leave the server alone. */
export interface ServerFlavor {
  id: string
  name: string
  vcpus: number
  memoryMiB: number
  diskGiB: number
  ephemeralGiB: number
  swapMiB: number
  extraSpecs: Readonly<Record<string, string>>
}

export interface ServerFault {
  code: number
  message: string
  details?: string
  created: string
}

export type Exit = NonNullable<ServerReport['exit']>

/** A server as the API and the loops know it: one row. */
export interface Server {
  id: string
  projectId: string
  userId: string
  name: string
  hostname: string
  description: string | null
  vmState: VmState
  taskState: TaskState | null
  powerState: number
  wish: ServerWish
  goal: VmState | null
  generation: number
  seenGeneration: number
  bootEpoch: number
  bootKind: 'soft' | 'hard'
  buildEpoch: number
  host: string | null
  availabilityZone: string | null
  imageId: string
  image: ServerImage
  flavor: ServerFlavor
  oldFlavor: ServerFlavor | null
  rescue: ServerImage | null
  reclaimAtMs: number | null
  shelvedImageId: string | null
  keyName: string | null
  userData: string | null
  configDrive: boolean
  diskConfig: 'AUTO' | 'MANUAL'
  accessIpV4: string | null
  accessIpV6: string | null
  lockedBy: 'owner' | 'admin' | null
  lockedReason: string | null
  progress: number
  reservationId: string
  launchIndex: number
  fault: ServerFault | null
  exit: Exit | null
  containerId: string | null
  tries: number
  retryAtMs: number | null
  actionId: string | null
  createdAt: string
  updatedAt: string
  launchedAt: string | null
  deletedAt: string | null
  deleted: boolean
}

export function serverOf(row: Selectable<ServersTable>): Server {
  return {
    id: row.id,
    projectId: row.project_id,
    userId: row.user_id,
    name: row.name,
    hostname: row.hostname,
    description: row.description,
    vmState: row.vm_state,
    taskState: row.task_state,
    powerState: row.power_state,
    wish: row.wish,
    goal: row.goal,
    generation: row.generation,
    seenGeneration: row.seen_generation,
    bootEpoch: row.boot_epoch,
    bootKind: row.boot_kind,
    buildEpoch: row.build_epoch,
    host: row.host,
    availabilityZone: row.availability_zone,
    imageId: row.image_id,
    image: JSON.parse(row.image) as ServerImage,
    flavor: JSON.parse(row.flavor) as ServerFlavor,
    oldFlavor: row.old_flavor === null ? null : (JSON.parse(row.old_flavor) as ServerFlavor),
    rescue: row.rescue === null ? null : (JSON.parse(row.rescue) as ServerImage),
    reclaimAtMs: row.reclaim_at_ms,
    shelvedImageId: row.shelved_image_id,
    keyName: row.key_name,
    userData: row.user_data,
    configDrive: row.config_drive === 1,
    diskConfig: row.disk_config,
    accessIpV4: row.access_ip_v4,
    accessIpV6: row.access_ip_v6,
    lockedBy: row.locked_by,
    lockedReason: row.locked_reason,
    progress: row.progress,
    reservationId: row.reservation_id,
    launchIndex: row.launch_index,
    fault: row.fault === null ? null : (JSON.parse(row.fault) as ServerFault),
    exit: row.exit === null ? null : (JSON.parse(row.exit) as Exit),
    containerId: row.container_id,
    tries: row.tries,
    retryAtMs: row.retry_at_ms,
    actionId: row.action_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    launchedAt: row.launched_at,
    deletedAt: row.deleted_at,
    deleted: row.deleted === 1,
  }
}

/** Changes to a server, with its own names; `updatedAt` is always set along with them. */
export type ServerPatch = Partial<Omit<Server, 'id' | 'deleted'>> & { updatedAt: string }

const columns = {
  projectId: 'project_id',
  userId: 'user_id',
  name: 'name',
  hostname: 'hostname',
  description: 'description',
  vmState: 'vm_state',
  taskState: 'task_state',
  powerState: 'power_state',
  wish: 'wish',
  goal: 'goal',
  generation: 'generation',
  seenGeneration: 'seen_generation',
  bootEpoch: 'boot_epoch',
  bootKind: 'boot_kind',
  buildEpoch: 'build_epoch',
  host: 'host',
  availabilityZone: 'availability_zone',
  imageId: 'image_id',
  image: 'image',
  flavor: 'flavor',
  oldFlavor: 'old_flavor',
  rescue: 'rescue',
  reclaimAtMs: 'reclaim_at_ms',
  shelvedImageId: 'shelved_image_id',
  keyName: 'key_name',
  userData: 'user_data',
  configDrive: 'config_drive',
  diskConfig: 'disk_config',
  accessIpV4: 'access_ip_v4',
  accessIpV6: 'access_ip_v6',
  lockedBy: 'locked_by',
  lockedReason: 'locked_reason',
  progress: 'progress',
  reservationId: 'reservation_id',
  launchIndex: 'launch_index',
  fault: 'fault',
  exit: 'exit',
  containerId: 'container_id',
  tries: 'tries',
  retryAtMs: 'retry_at_ms',
  actionId: 'action_id',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
  launchedAt: 'launched_at',
  deletedAt: 'deleted_at',
} as const satisfies Record<keyof Omit<ServerPatch, 'deleted'>, keyof ServersTable>

/** What a patch or a new server is in the table: objects as JSON, booleans as 0 | 1. */
export function columnsOf(patch: Partial<Server>): Partial<ServersTable> {
  const row: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(patch)) {
    const column = (columns as Record<string, string>)[key]
    if (column === undefined || value === undefined) continue
    if (typeof value === 'boolean') row[column] = value ? 1 : 0
    else if (typeof value === 'object' && value !== null) row[column] = JSON.stringify(value)
    else row[column] = value
  }
  if (patch.flavor) {
    row.flavor_id = patch.flavor.id
    row.vcpus = patch.flavor.vcpus
    row.memory_mib = patch.flavor.memoryMiB
    row.disk_gib = patch.flavor.diskGiB
  }
  return row as Partial<ServersTable>
}
