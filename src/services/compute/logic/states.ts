import type { TaskState, VmState } from '../db/tables.ts'
import type { SeenState, ServerWish } from '../messages.ts'

/** Nova's numbers for `OS-EXT-STS:power_state`. Source: Compute API guide, "Server concepts: Server power states". */
export const power = { none: 0, running: 1, paused: 3, shutdown: 4 } as const

export interface Transition {
  /** States it may start from; every one needs that nothing else is under way. */
  from: readonly VmState[]
  wish: ServerWish
  /** What it is then, where the wish does not say. */
  goal?: VmState
  task: TaskState
  /** Under which name the action and its event are recorded. */
  action: string
  event: string
}

/** What may be asked of a server, and in which states. Source: Compute API guide, "Server states". */
export const transitions = {
  start: {
    from: ['stopped'],
    wish: 'running',
    task: 'powering-on',
    action: 'start',
    event: 'compute_start_instance',
  },
  stop: {
    from: ['active', 'error'],
    wish: 'stopped',
    task: 'powering-off',
    action: 'stop',
    event: 'compute_stop_instance',
  },
  softReboot: {
    from: ['active'],
    wish: 'running',
    task: 'rebooting',
    action: 'reboot',
    event: 'compute_reboot_instance',
  },
  hardReboot: {
    from: ['active', 'stopped', 'paused', 'suspended', 'error'],
    wish: 'running',
    task: 'rebooting_hard',
    action: 'reboot',
    event: 'compute_reboot_instance',
  },
  pause: {
    from: ['active'],
    wish: 'paused',
    task: 'pausing',
    action: 'pause',
    event: 'compute_pause_instance',
  },
  unpause: {
    from: ['paused'],
    wish: 'running',
    task: 'unpausing',
    action: 'unpause',
    event: 'compute_unpause_instance',
  },
  // Frozen in memory: a container has no disk image of its memory, so this is what pausing is.
  suspend: {
    from: ['active'],
    wish: 'paused',
    goal: 'suspended',
    task: 'suspending',
    action: 'suspend',
    event: 'compute_suspend_instance',
  },
  resume: {
    from: ['suspended'],
    wish: 'running',
    task: 'resuming',
    action: 'resume',
    event: 'compute_resume_instance',
  },
} as const satisfies Record<string, Transition>

export type TransitionName = keyof typeof transitions

/** A snapshot may be taken in these. */
export const snapshotFrom: readonly VmState[] = ['active', 'stopped', 'paused', 'suspended']

/** What a container seen in some state makes of its server. */
export const stateOfSeen = {
  running: { vmState: 'active', powerState: power.running },
  stopped: { vmState: 'stopped', powerState: power.shutdown },
  paused: { vmState: 'paused', powerState: power.paused },
} as const satisfies Record<Exclude<SeenState, 'absent'>, { vmState: VmState; powerState: number }>

/** Snapshots go their own way: a report of the container's state leaves these alone. */
export const isSnapshotTask = (task: TaskState | null): boolean => task?.startsWith('image_') === true

const statuses: Record<VmState, { default: string } & Partial<Record<TaskState, string>>> = {
  building: { default: 'BUILD' },
  active: {
    ...{ default: 'ACTIVE', rebooting: 'REBOOT', rebooting_hard: 'HARD_REBOOT', rebuilding: 'REBUILD' },
    ...{ resize_prep: 'RESIZE', resize_migrating: 'RESIZE', resize_finish: 'RESIZE', updating_password: 'PASSWORD' },
  },
  stopped: {
    ...{ default: 'SHUTOFF', rebuilding: 'REBUILD' },
    ...{ resize_prep: 'RESIZE', resize_migrating: 'RESIZE', resize_finish: 'RESIZE' },
  },
  paused: { default: 'PAUSED' },
  suspended: { default: 'SUSPENDED' },
  resized: { default: 'VERIFY_RESIZE', resize_reverting: 'REVERT_RESIZE' },
  rescued: { default: 'RESCUE' },
  'soft-delete': { default: 'SOFT_DELETED' },
  shelved: { default: 'SHELVED' },
  shelved_offloaded: { default: 'SHELVED_OFFLOADED' },
  error: { default: 'ERROR', rebuilding: 'REBUILD' },
  deleted: { default: 'DELETED' },
}

/** The API's `status`. Source: Compute API guide, "Server concepts: Server status". */
export function statusOf(server: { vmState: VmState; taskState: TaskState | null }): string {
  const map = statuses[server.vmState]
  return (server.taskState && map[server.taskState]) || map.default
}

/** Statuses of Nova that no server of ours can have, but that may be asked for. */
const foreignStatuses = new Set(['MIGRATING'])

export interface StateFilter {
  vmStates: VmState[]
  /** null: any. */
  taskStates: TaskState[] | null
}

/** The states behind a list of statuses, in any case; null when none of them is a status. */
export function statesOfStatus(asked: readonly string[]): StateFilter | null {
  const wanted = new Set(asked.map((status) => status.toUpperCase()))
  const vmStates: VmState[] = []
  const taskStates: TaskState[] = []
  let anyTask = false
  for (const [vmState, map] of Object.entries(statuses) as [VmState, Record<string, string>][]) {
    for (const [task, status] of Object.entries(map)) {
      if (!wanted.has(status)) continue
      vmStates.push(vmState)
      if (task === 'default') anyTask = true
      else taskStates.push(task as TaskState)
    }
  }
  if (vmStates.length === 0 && ![...wanted].some((status) => foreignStatuses.has(status))) return null
  return { vmStates: [...new Set(vmStates)], taskStates: anyTask ? null : taskStates }
}
