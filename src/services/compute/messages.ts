/** What crosses the bus between compute's control side and a compute host. Every order is the whole wish. */

/** What a server should be. `absent` also removes everything the host keeps about it. */
export type ServerWish = 'running' | 'stopped' | 'paused' | 'absent'

/** control → host, on `host.<host>.compute.order`. Repeatable; a lower generation than the last seen is ignored. */
export interface ServerOrder {
  serverId: string
  generation: number
  wish: ServerWish
  /** Counts reboots. When it is above the one the host last carried out, the container is restarted once. */
  bootEpoch: number
  /** How: `soft` lets the first process end by itself (at most 60 s), `hard` does not wait. */
  bootKind: 'soft' | 'hard'
  /** Counts rebuilds: a container that was made for an older one is replaced by a new one. */
  buildEpoch: number
  name: string
  hostname: string
  projectId: string
  userId: string
  /** Where the Engine pulls from (`127.0.0.1:5042/images/<id>@sha256:…`), and the config digest: the Engine's image id. */
  image: { imageId: string; reference: string; configDigest: string; pullToken: string }
  /** The server shall be rescued: another image runs in its place, with the server's own files at /mnt. */
  rescue: { image: ServerOrder['image']; command: readonly string[] | null } | null
  /** Replaces the image's own command when set (image property `os_command_line`). */
  command: readonly string[] | null
  environment: Readonly<Record<string, string>>
  vcpus: number
  memoryMiB: number
  swapMiB: number
  diskGiB: number
  /** Flavor extra specs in the `docker:` namespace, the prefix cut off. */
  dockerSpecs: Readonly<Record<string, string>>
  /** In NIC order: eth0 first. */
  ports: readonly OrderedPort[]
  /** Put into a new container before it starts; contents are base64. */
  files?: readonly { path: string; contents: string }[]
  /** Mounted read-only into a new container: paths, each with the place of its contents (base64). */
  configDrive?: { contents: readonly string[]; files: readonly (readonly [path: string, content: number])[] }
}

export interface OrderedPort {
  portId: string
  networkId: string
  macAddress: string
  /** Rises with the NICs; a NIC that was taken out leaves a gap. */
  nic: number
  addresses: readonly string[]
}

export type SeenState = 'running' | 'stopped' | 'paused' | 'absent'

/** host → control, on `control.compute.report`: after each order, and by itself when a container changes state. */
export interface ServerReport {
  host: string
  serverId: string
  /** Of the last order carried out (or tried). */
  generation: number
  seen: SeenState
  containerId: string | null
  /** ISO 8601, of the container's first process. */
  startedAt: string | null
  /** When stopped: how the first process ended, and its last output lines. */
  exit: { code: number; outOfMemory: boolean; lastOutput: string } | null
  /** The order failed; `step` is a fault point's name, `message` is fit for the server's owner. */
  error: { step: string; message: string; temporary: boolean } | null
}

/** host → control, on `control.compute.inventory`, at start and each minute: every server found on the machine. */
export interface HostInventory {
  host: string
  servers: readonly ServerReport[]
}

/** control → host, on `host.<host>.compute.snapshot`. The host commits, uploads to `uploadUrl` (PUT), and removes its copy. */
export interface SnapshotOrder {
  snapshotId: string
  serverId: string
  imageId: string
  uploadUrl: string
  /** X-Auth-Token for the upload. */
  token: string
}

/** host → control, on `control.compute.snapshot`. */
export interface SnapshotReport {
  host: string
  snapshotId: string
  state: 'committed' | 'uploading' | 'done' | 'failed'
  message: string | null
}

/** Request, on `host.<host>.compute.console`; the answer is `{ output }`. */
export interface ConsoleRequest {
  serverId: string
  /** Last lines wanted; null for all. */
  lines: number | null
}

/** Request, on `host.<host>.compute.diagnostics`. */
export interface DiagnosticsRequest {
  serverId: string
}
export interface Diagnostics {
  state: SeenState
  cpuTimeNs: number
  memoryUsedMiB: number
  memoryMaximumMiB: number
  uptimeSeconds: number
  nics: readonly { macAddress: string; rxBytes: number; txBytes: number; rxPackets: number; txPackets: number }[]
  exit: ServerReport['exit']
}

/** Request, on `host.<host>.compute.password`; the answer is `{}`. */
export interface PasswordRequest {
  serverId: string
  password: string
}

/**
 * Request, on `host.<host>.compute.terminal`: the host listens for one connection, which says `secret` and a line end,
 * and is the server's terminal from then on.
 */
export interface TerminalRequest {
  serverId: string
}
export interface TerminalDoor {
  address: string
  port: number
  secret: string
}

/** Request, on `host.<host>.compute.terminal-size`; the answer is `{}`. */
export interface TerminalSizeRequest {
  serverId: string
  columns: number
  rows: number
}

/** The facts of a compute host's heartbeat. */
export interface ComputeFacts {
  vcpus: number
  memoryMiB: number
  memoryFreeMiB: number
  diskGiB: number
  diskFreeGiB: number
  engineVersion: string
  engineApiVersion: string
  storageDriver: string
  userNamespaces: boolean
  hostIp: string
  /** As the kernel says it: `x86_64`. */
  architecture?: string
  runningServers: number
  cpuModel: string
  loadAverage: readonly [number, number, number]
  uptimeSeconds: number
}

export const subjects = {
  order: (host: string) => `host.${host}.compute.order`,
  snapshot: (host: string) => `host.${host}.compute.snapshot`,
  console: (host: string) => `host.${host}.compute.console`,
  diagnostics: (host: string) => `host.${host}.compute.diagnostics`,
  terminal: (host: string) => `host.${host}.compute.terminal`,
  terminalSize: (host: string) => `host.${host}.compute.terminal-size`,
  password: (host: string) => `host.${host}.compute.password`,
  report: 'control.compute.report',
  inventory: 'control.compute.inventory',
  snapshotReport: 'control.compute.snapshot',
} as const
