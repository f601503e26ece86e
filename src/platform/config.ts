import type { OutwardSettings } from './http/outward.ts'

/** Rules for passwords, all off unless switched on; named as Keystone's group of the same name. */
export interface SecurityCompliance {
  /** 0: never locked. */
  readonly lockoutFailureAttempts: number
  /** 0: until an administrator sets another password. */
  readonly lockoutDurationSeconds: number
  /** 0: never. */
  readonly passwordExpiresDays: number
  /** 0: any may be used again. */
  readonly uniqueLastPasswordCount: number
  readonly minimumPasswordAgeDays: number
  /** Empty: any password. */
  readonly passwordRegex: string
  readonly passwordRegexDescription: string
  readonly changePasswordUponFirstUse: boolean
}

/** How hosts are chosen; named as in Nova's group `filter_scheduler`. */
export interface SchedulerConfig {
  /** Names of filters, parted by commas. */
  readonly enabledFilters: string
  readonly ramWeightMultiplier: number
  readonly cpuWeightMultiplier: number
  readonly diskWeightMultiplier: number
  readonly ioOpsWeightMultiplier: number
  readonly softAffinityWeightMultiplier: number
  readonly softAntiAffinityWeightMultiplier: number
  readonly buildFailureWeightMultiplier: number
  readonly maxIoOpsPerHost: number
  readonly maxInstancesPerHost: number
}

/** Log-in by identity providers elsewhere, for whom a proxy in front of the Identity API vouches; off at first. */
export interface FederationSettings {
  /** Addresses, separated by commas, from which assertions are taken; empty: any that knows the secret. */
  readonly trustedProxies: string
  /** What the proxy sends in `X-Federation-Secret`; empty: nothing. With both empty nobody is trusted. */
  readonly proxySecret: string
  /** Headers that begin so are attributes of the assertion. */
  readonly headerPrefix: string
  /** The attribute in which an identity provider names itself, where its protocol says none. */
  readonly remoteIdAttribute: string
  /** Origins, separated by commas, to which a browser that logged in may be sent with its token. */
  readonly trustedDashboards: string
}

/** Everything that can be set. Read once, here; nothing else looks at the environment. */
export interface Config {
  stateDir: string
  bind: string
  /** Added to every port, so that several clouds live on one machine. */
  portBase: number
  /** What clients are told to connect to; empty means `bind`. */
  publicHost: string
  region: string
  /** `sqlite` (in the state directory) or `postgres://…`. */
  database: string
  /** `local` (one machine), or `nats`. */
  bus: 'local' | 'nats'
  /** `control`: servers run on other machines only. */
  roles: 'all' | 'control'
  hostDownSeconds: number
  /** Empty: the machine's first address. */
  tunnelIp: string
  logLevel: string
  host: string
  demo: boolean
  engineSocket: string
  /** The engine is ours: started by `up` with its data in the state directory. */
  engineOwn: boolean
  /** Root in a container of our own engine is nobody on the machine. `auto`: on when the kernel can. */
  engineUserNamespaces: 'auto' | 'on' | 'off'
  publicCidr: string
  /** Masquerade what servers on external networks send beyond this machine. */
  publicNat: boolean
  /** What a host signs a server's id with when it passes a request on to the metadata service; never empty at run time. */
  metadataProxySharedSecret: string
  /** A JSON file that every server can read as its vendor data; empty for none. */
  vendorDataFile: string
  /** How long the address of a console is good for. */
  consoleTokenSeconds: number
  tokenHours: number
  securityCompliance: SecurityCompliance
  federation: FederationSettings
  /** oslo.policy's `enforce_scope`: a rule takes tokens of its scope types only. */
  enforceScope: boolean
  /** oslo.policy's `enforce_new_defaults`: deprecated defaults do not widen the new ones. */
  enforceNewDefaults: boolean
  /** Project of the domain Default whose administrators are the cloud's under the new defaults. */
  adminProject: string
  /** The API of before 2014, for old clients. */
  identityV2: boolean
  cpuAllocationRatio: number
  ramAllocationRatio: number
  diskAllocationRatio: number
  scheduler: SchedulerConfig
  quotas: { instances: number; cores: number; ramMiB: number; keyPairs: number }
  /** A resize changes a server's limits where it is, when there is room; else it always moves. */
  allowResizeToSameHost: boolean
  /** Seconds; 0: a deleted server is gone at once. */
  reclaimInstanceInterval: number
  /** Bytes; 0 for no bound but the disk's. */
  imageSizeMaxBytes: number
  /** Where images and pushed blobs go: a flavour of storage, the file that describes it, and further ones for images. */
  storageFlavor: string
  storageConfig: string
  imageStores: string
  /** How fast stored blobs are held against their digests; 0: never. */
  scrubMiBPerSecond: number
  registryReadOnly: boolean
  /** Other registries by the names under which they are seen here. */
  registryUpstreams: string
  /** URLs that are told of pushes and deletions. */
  registryNotifications: string
  /** Which APIs are also spoken over TLS, and with whose certificate; without one, from an authority of our own. */
  tls: { services: 'none' | 'registry' | 'all'; certificate: string; key: string }
  /** What imports may fetch for tenants. */
  imageImport: OutwardSettings
  /** For tests: the control socket arms fault points. */
  faults: boolean
}

/** Official service type → standard port. */
export const ports = {
  identity: 5000,
  console: 6083,
  compute: 8774,
  metadata: 8775,
  placement: 8778,
  image: 9292,
  network: 9696,
  registry: 5042,
  bus: 4222,
  hosts: 8779,
} as const

export type ServiceName = keyof typeof ports

export const portOf = (config: Config, service: ServiceName): number => ports[service] + config.portBase

/** Metadata is asked by servers, over a network that is theirs alone, and consoles are reached through a link that says how. */
export const speaksTls = ({ tls }: Pick<Config, 'tls'>, service: ServiceName): boolean =>
  tls.services === 'registry'
    ? service === 'registry'
    : tls.services === 'all' && service !== 'metadata' && service !== 'console'

/** `http://127.0.0.1:5000`: where clients reach a service, without a path. */
export function urlOf(config: Config, service: ServiceName): string {
  const host = config.publicHost || (config.bind === '0.0.0.0' || config.bind === '::' ? '127.0.0.1' : config.bind)
  const scheme = speaksTls(config, service) ? 'https' : 'http'
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${portOf(config, service)}`
}

/** Only this machine reaches it. An engine takes plain HTTP from registries on such addresses, and from no other. */
const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1'

/** Listened on besides `bind`, for this machine's own engine; null when `bind` serves it. */
export const loopbackBeside = ({ bind }: Config): string | null =>
  isLoopback(bind) || bind === '0.0.0.0' || bind === '::' ? null : '127.0.0.1'

/** `127.0.0.1:5042`: where this machine itself reaches a service that listens on `loopbackBeside` too. */
export function loopbackHostOf(config: Config, service: ServiceName): string {
  const host = isLoopback(config.bind) ? config.bind : '127.0.0.1'
  return `${host.includes(':') ? `[${host}]` : host}:${portOf(config, service)}`
}

/** As `urlOf`, for Berth's own calls: past TLS, and whatever stands between clients and us under `publicHost`. */
export const localUrlOf = (config: Config, service: ServiceName): string =>
  urlOf({ ...config, publicHost: '', tls: { ...config.tls, services: 'none' } }, service)
