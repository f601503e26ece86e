import type * as containers from '../../../machine/docker/containers.ts'
import type { Endpoint } from '../../../machine/docker/networks.ts'
import { readDockerSpecs } from '../docker-specs.ts'
import type { ServerOrder } from '../messages.ts'
import { mountPoints } from './config-drives.ts'

export const cloudLabel = 'io.berth.cloud'
export const serverLabel = 'io.berth.server'
export const projectLabel = 'io.berth.project'
export const userLabel = 'io.berth.user'
/** Which rebuild of its server a container was made for; without it, the first. */
export const buildLabel = 'io.berth.build'
/** The label that tools written for Nova's Docker driver look for. */
export const novaLabel = 'org.openstack.nova.server'

export const containerName = (serverId: string): string => `nova-${serverId}`

/** What this engine can do, as far as a container's settings depend on it. */
export interface EngineLimits {
  cpus: number
  /** The storage driver can bound a container's own layer. */
  diskQuota: boolean
}

const mib = 1024 * 1024
const defaultPidsLimit = 4096

/**
 * The Docker network of each port. The Engine numbers interfaces in the order of these names and joins a container to
 * each at most once, so all but the first have the NIC's number in front.
 */
export function dockerNetworks(ports: ServerOrder['ports']): { name: string; endpoint: Endpoint }[] {
  const seen = new Set<string>()
  return ports.map(({ portId, networkId, nic, addresses }) => {
    const twin = seen.has(networkId) ? { 'io.berth.twin': 'true' } : {}
    seen.add(networkId)
    const name = nic === 0 ? `qnet-${networkId}` : `qnet${String(nic).padStart(3, '0')}-${networkId}`
    const further = nic === 0 ? {} : { 'io.berth.nic': String(nic) }
    const DriverOpts = { 'io.berth.port': portId, 'io.berth.addresses': addresses.join(' '), ...twin, ...further }
    return { name, endpoint: { DriverOpts } }
  })
}

/**
 * A server's container, with its first NIC; the Engine takes no more than one at create before API 1.44.
 * @throws CloudError `badRequest` for an extra spec that makes no sense
 */
export function containerSpec(
  order: ServerOrder,
  imageId: string,
  cloudId: string,
  limits: EngineLimits,
  files: Files = {},
): containers.NewContainer {
  const [first] = dockerNetworks(order.ports)
  return {
    // By id: the names on this machine belong to nobody.
    Image: imageId,
    Hostname: hostnameOf(order.hostname),
    ...(order.command ? { Cmd: order.command } : {}),
    Env: environmentOf(order.environment),
    // A terminal kept open, so that a shell image stays up as it would on a virtual machine.
    Tty: true,
    OpenStdin: true,
    Labels: {
      [cloudLabel]: cloudId,
      [serverLabel]: order.serverId,
      [projectLabel]: order.projectId,
      [userLabel]: order.userId,
      [novaLabel]: order.serverId,
      ...(order.buildEpoch > 0 ? { [buildLabel]: String(order.buildEpoch) } : {}),
    },
    HostConfig: {
      NetworkMode: first?.name ?? 'none',
      ...sizeOf(order, limits),
      PidsLimit: defaultPidsLimit,
      ...readDockerSpecs(order.dockerSpecs, order.vcpus),
      ...bindsOf(files),
      ...(order.dockerSpecs.privileged === undefined ? { SecurityOpt: ['no-new-privileges'] } : {}),
      // What is wanted decides who runs, not the engine.
      RestartPolicy: { Name: 'no' },
      // A chatty server must not fill the host's disk.
      LogConfig: { Type: 'json-file', Config: { 'max-size': '4m', 'max-file': '2' } },
      ...(limits.diskQuota && order.diskGiB > 0 ? { StorageOpt: { size: `${order.diskGiB}G` } } : {}),
    },
    ...(first ? { NetworkingConfig: { EndpointsConfig: { [first.name]: first.endpoint } } } : {}),
  }
}

/** Files of the machine's that a server sees; `rescue` is the bind of another server's. */
interface Files {
  configDrive?: string | null
  resolvConf?: string | undefined
  rescue?: string | undefined
}

function bindsOf({ configDrive, resolvConf, rescue }: Files) {
  const drive = configDrive ? mountPoints.map((point) => `${configDrive}:${point}:ro`) : []
  const resolv = resolvConf === undefined ? [] : [`${resolvConf}:/etc/resolv.conf`]
  const binds = [...drive, ...resolv, ...(rescue === undefined ? [] : [rescue])]
  return binds.length === 0 ? {} : { Binds: binds }
}

/** What a flavor allows, and a resize changes on a container that is there. */
export const sizeOf = (order: ServerOrder, limits: EngineLimits): containers.Size => ({
  Memory: order.memoryMiB * mib,
  MemorySwap: (order.memoryMiB + order.swapMiB) * mib,
  ...cpuOf(order, limits),
})

/** A hard cap by default; `docker:cpu_shares` chooses a share of what is free instead. */
function cpuOf({ vcpus, dockerSpecs }: ServerOrder, { cpus }: EngineLimits) {
  const { CpuShares, CpusetCpus } = readDockerSpecs(dockerSpecs, vcpus)
  const set = CpusetCpus === undefined ? {} : { CpusetCpus }
  if (CpuShares !== undefined) return { CpuShares, ...set }
  // The engine refuses a cap above what the machine has, which on an overcommitted host would be no cap anyway.
  return { NanoCpus: Math.min(vcpus, cpus) * 1e9, ...set }
}

/** Letters, digits and dashes, at most 63. Source: RFC 1123 §2.1. */
export function hostnameOf(wanted: string): string {
  const clean = wanted
    .replace(/[^A-Za-z0-9-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 63)
    .replace(/-+$/, '')
  return clean || 'server'
}

/** A key with `=` in it would set another variable than it says, and no variable can hold a NUL. */
function environmentOf(environment: ServerOrder['environment']): string[] {
  return Object.entries(environment).flatMap(([key, value]) =>
    key === '' || key.includes('=') || `${key}${value}`.includes('\0') ? [] : [`${key}=${value}`],
  )
}
