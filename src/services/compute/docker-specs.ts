import { CloudError } from '../../platform/errors.ts'

/** What a container is given besides its size. Source: Docker Engine API reference, "Create a container", HostConfig. */
export interface DockerSettings {
  CpuShares?: number
  CpusetCpus?: string
  PidsLimit?: number
  ShmSize?: number
  Ulimits?: { Name: string; Soft: number; Hard: number }[]
  Sysctls?: Record<string, string>
  Devices?: { PathOnHost: string; PathInContainer: string; CgroupPermissions: string }[]
  CapAdd?: string[]
  Runtime?: string
  Privileged?: true
  UsernsMode?: 'host'
}

interface Spec {
  /** The key behind `docker:`; what follows a bracket is the rest of it. */
  key: RegExp
  /** Lets a server out of its container, or near: only by a policy that says so. */
  privileged?: true
  /** For people: what the value must be. */
  help: string
  /** null: no such value. */
  read(value: string, rest: string, vcpus: number): DockerSettings | null
}

const number = (text: string): number | null => (/^[1-9]\d{0,9}$/.test(text) ? Number(text) : null)
const given = <T>(value: T | null, make: (value: T) => DockerSettings) => (value === null ? null : make(value))

const ulimits = 'core|cpu|data|fsize|locks|memlock|msgqueue|nice|nofile|nproc|rss|rtprio|rttime|sigpending|stack'

/** Of a namespace of the container's own, so that a server changes nothing of its host's. */
const sysctls = new RegExp(
  [
    '^(net\\.core\\.somaxconn',
    'net\\.ipv4\\.(ip_forward|ip_local_port_range|ip_local_reserved_ports|ip_unprivileged_port_start|ping_group_range)',
    'net\\.ipv4\\.tcp_[a-z0-9_]+',
    'net\\.ipv6\\.conf\\.(all|default)\\.(forwarding|disable_ipv6|accept_ra)',
    'kernel\\.(shmmax|shmall|shmmni|shm_rmid_forced|sem|msgmax|msgmnb|msgmni)',
    'fs\\.mqueue\\.[a-z_]+)$',
  ].join('|'),
)

/** The `docker:` namespace of a flavor's extra specs; documented in docs/operators/flavors.md. */
const specs: readonly Spec[] = [
  {
    key: /^cpu_shares$/,
    help: 'a whole number above 0, or `true` for 1024 a vCPU',
    read: (value, _, vcpus) =>
      value === 'true' ? { CpuShares: vcpus * 1024 } : given(number(value), (CpuShares) => ({ CpuShares })),
  },
  {
    key: /^cpuset_cpus$/,
    help: 'a list of processors such as 0-3,6',
    read: (value) => (/^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$/.test(value) ? { CpusetCpus: value } : null),
  },
  {
    key: /^pids_limit$/,
    help: 'a whole number above 0',
    read: (value) => given(number(value), (PidsLimit) => ({ PidsLimit })),
  },
  {
    key: /^shm_size_mib$/,
    help: 'a whole number above 0',
    read: (value) => given(number(value), (mib) => ({ ShmSize: mib * 1024 ** 2 })),
  },
  {
    key: new RegExp(`^ulimit_(${ulimits})$`),
    help: 'a limit, or a soft and a hard one such as 1024:4096; -1 is none',
    read(value, Name) {
      const found = /^(-1|\d{1,15})(?::(-1|\d{1,15}))?$/.exec(value)
      if (!found) return null
      const [Soft, Hard] = [Number(found[1]), Number(found[2] ?? found[1])]
      return Hard !== -1 && (Soft === -1 || Soft > Hard) ? null : { Ulimits: [{ Name, Soft, Hard }] }
    },
  },
  {
    key: /^sysctl:(.+)$/,
    help: 'a value of a kernel setting that a container has of its own',
    read: (value, name) =>
      sysctls.test(name) && /^[\w .-]{1,64}$/.test(value) ? { Sysctls: { [name]: value } } : null,
  },
  {
    key: /^devices$/,
    privileged: true,
    help: 'devices such as /dev/fuse or /dev/snd:rw, with commas between',
    read(value) {
      const devices = value.split(',').map((one) => /^(\/dev\/[\w/.+-]+?)(?::([rwm]{1,3}))?$/.exec(one))
      if (devices.some((found) => !found || found[1]?.includes('..'))) return null
      const Devices = devices.map((found) => {
        const path = found?.[1] ?? ''
        return { PathOnHost: path, PathInContainer: path, CgroupPermissions: found?.[2] ?? 'rwm' }
      })
      return { Devices }
    },
  },
  {
    key: /^cap_add$/,
    privileged: true,
    help: 'capabilities such as NET_ADMIN, with commas between',
    read: (value) => (/^[A-Z_]{1,40}(,[A-Z_]{1,40})*$/.test(value) ? { CapAdd: value.split(',') } : null),
  },
  {
    key: /^runtime$/,
    privileged: true,
    help: 'the name of a runtime that the engine knows',
    read: (value) => (/^[\w.-]{1,64}$/.test(value) ? { Runtime: value } : null),
  },
  {
    key: /^privileged$/,
    privileged: true,
    help: '`true`',
    // The engine gives no privileges to a root that is mapped to nobody.
    read: (value) => (value === 'true' ? { Privileged: true, UsernsMode: 'host' } : null),
  },
]

/** Whether a key (without `docker:`) wants the policy's leave. */
export const isPrivileged = (key: string): boolean => specs.some((spec) => spec.privileged && spec.key.test(key))

/**
 * A flavor's extra specs of the namespace, the prefix cut off, as the Engine wants them.
 * @throws CloudError `badRequest` for a key that is unknown, and a value that makes no sense
 */
export function readDockerSpecs(given: Readonly<Record<string, string>>, vcpus: number): DockerSettings {
  const settings: DockerSettings = {}
  for (const [key, value] of Object.entries(given)) {
    const spec = specs.find((one) => one.key.test(key))
    if (!spec) throw new CloudError('badRequest', `docker:${key} is no extra spec that is known here.`)
    const read = spec.read(value, spec.key.exec(key)?.[1] ?? '', vcpus)
    if (!read) {
      const text = `The flavor's extra spec docker:${key} must be ${spec.help}, not "${value}".`
      throw new CloudError('badRequest', text)
    }
    settings.Ulimits = [...(settings.Ulimits ?? []), ...(read.Ulimits ?? [])]
    const Sysctls = { ...settings.Sysctls, ...read.Sysctls }
    const { Ulimits } = settings
    Object.assign(settings, read, { Ulimits, Sysctls })
  }
  if (settings.Ulimits?.length === 0) delete settings.Ulimits
  if (settings.Sysctls && Object.keys(settings.Sysctls).length === 0) delete settings.Sysctls
  return settings
}
