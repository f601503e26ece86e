import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { messageOf } from './platform/errors.ts'

/** One key of `berth.yaml`: how its value is read, what it may be, and what it is when nobody says. */
export interface Setting {
  readonly key: string
  readonly kind: 'text' | 'integer' | 'number' | 'boolean'
  /** For people: the reference in docs/operators/configuration.md is held against this list by a test. */
  readonly help: string
  readonly fallback: string | number | boolean | null
  /** What is wrong with a value of the right kind; null when nothing is. */
  readonly check?: (value: string & number) => string | null
}

const oneOf =
  (...words: string[]) =>
  (value: string): string | null =>
    words.includes(value) ? null : `must be one of ${words.join(', ')}`

const between =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (value: number): string | null =>
    value >= least && value <= most
      ? null
      : most === Number.MAX_SAFE_INTEGER
        ? `must be ${least} or more`
        : `must be between ${least} and ${most}`

const above =
  (bound: number) =>
  (value: number): string | null =>
    value > bound ? null : `must be above ${bound}`

const matches =
  (pattern: RegExp, words: string) =>
  (value: string): string | null =>
    pattern.test(value) ? null : `must be ${words}`

function network(value: string): string | null {
  try {
    const [address, bits] = ipaddr.parseCIDR(value)
    return address.kind() !== 'ipv4' || bits > 29 ? 'must be an IPv4 network of /29 or larger' : null
  } catch {
    return 'must be a network such as 198.18.4.0/24'
  }
}

function pattern(value: string): string | null {
  try {
    new RegExp(value)
    return null
  } catch (error) {
    return `must be a regular expression: ${messageOf(error)}`
  }
}

/** A unix socket's path is cut off at 107 bytes without a word; the longest of ours adds 13 to the state directory. */
const directory = (value: string): string | null =>
  !value.startsWith('/') || value === '/'
    ? 'must be an absolute path'
    : Buffer.byteLength(value) > 90
      ? `must be at most 90 bytes long (it is ${Buffer.byteLength(value)}): sockets are kept in it`
      : null

const socket = (value: string): string | null =>
  value === '' || (value.startsWith('/') && Buffer.byteLength(value) <= 107)
    ? null
    : 'must be the absolute path of a unix socket, at most 107 bytes long'

/** Words with commas between. */
const listOf =
  (word: RegExp, words: string) =>
  (value: string): string | null =>
    value.split(',').every((one) => one.trim() === '' || word.test(one.trim()))
      ? null
      : `must be ${words}, with commas between`

const file = (value: string): string | null =>
  value === '' || value.startsWith('/') ? null : 'must be the absolute path of a file'

const host = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/

/** Every key that `berth.yaml` and the environment know, `stateDir` and `host` with the machine's own fallbacks. */
export const settings = (machine: { stateDir: string; hostname: string }): readonly Setting[] => [
  {
    key: 'stateDir',
    kind: 'text',
    fallback: machine.stateDir,
    check: directory,
    help: 'Where everything is kept. Mode 0700.',
  },
  {
    key: 'bind',
    kind: 'text',
    fallback: '127.0.0.1',
    check: (value) => (isIP(value) ? null : 'must be an IP address of this machine'),
    help: 'The address to listen on. 0.0.0.0 opens the cloud to the network.',
  },
  {
    key: 'portBase',
    kind: 'integer',
    fallback: 0,
    check: between(0, 50_000),
    help: 'Added to every port, so that several clouds live on one machine.',
  },
  {
    key: 'publicHost',
    kind: 'text',
    fallback: '',
    check: (value) => (value === '' || isIP(value) || host.test(value) ? null : 'must be a host name or an address'),
    help: 'What clients are told to connect to. Empty: the address of `bind`.',
  },
  {
    key: 'region',
    kind: 'text',
    fallback: 'RegionOne',
    check: matches(/^[\w.-]{1,255}$/, 'letters, digits, dots, dashes and underscores'),
    help: 'The name of the region in the catalog.',
  },
  {
    key: 'database',
    kind: 'text',
    fallback: 'sqlite',
    check: matches(/^(sqlite|postgres(ql)?:\/\/.+)$/, '`sqlite` or a postgres:// address'),
    help: '`sqlite` (a file in the state directory) or `postgres://user:password@host/database`.',
  },
  {
    key: 'bus',
    kind: 'text',
    fallback: 'local',
    check: oneOf('local', 'nats'),
    help: '`local`: one machine. `nats`: a NATS server beside control, which other hosts may join.',
  },
  {
    key: 'roles',
    kind: 'text',
    fallback: 'all',
    check: oneOf('all', 'control'),
    help: '`all`: this machine carries servers too. `control`: only hosts that have joined do; it needs no engine.',
  },
  {
    key: 'hostDownSeconds',
    kind: 'integer',
    fallback: 60,
    check: between(20),
    help: 'A host that was not heard of for this long is down. Each is heard of every 10 s.',
  },
  {
    key: 'tunnelIp',
    kind: 'text',
    fallback: '',
    check: (value) => (value === '' || isIP(value) === 4 ? null : 'must be an IPv4 address of this machine'),
    help: "Where other hosts send this host's share of tenants' traffic. Empty: the first address of the machine.",
  },
  {
    key: 'logLevel',
    kind: 'text',
    fallback: 'info',
    check: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    help: 'The least weighty kind of line in `berth.log`.',
  },
  {
    key: 'host',
    kind: 'text',
    fallback: machine.hostname,
    check: matches(host, 'a host name'),
    help: "This machine's name as a host of the cloud. Do not change it while servers exist.",
  },
  { key: 'demo', kind: 'boolean', fallback: true, help: 'Seed the first server at the first start.' },
  {
    key: 'engineSocket',
    kind: 'text',
    fallback: '',
    check: socket,
    help: 'A Docker Engine that runs already. Empty: Berth starts one of its own.',
  },
  {
    key: 'engineUserNamespaces',
    kind: 'text',
    fallback: 'auto',
    check: oneOf('auto', 'on', 'off'),
    help: 'In our own engine, root in a server is nobody on the machine. `auto`: on when the kernel can.',
  },
  {
    key: 'publicCidr',
    kind: 'text',
    fallback: '198.18.4.0/24',
    check: network,
    help: 'The range of the seeded network `public`. Read at the first start only.',
  },
  {
    key: 'publicNat',
    kind: 'boolean',
    fallback: true,
    help: 'Masquerade what servers on external networks send beyond this machine.',
  },
  {
    key: 'metadataProxySharedSecret',
    kind: 'text',
    fallback: '',
    help: "Signs a server's id between a host and the metadata service. Empty: made at the first start.",
  },
  {
    key: 'vendorDataFile',
    kind: 'text',
    fallback: '',
    check: file,
    help: 'A JSON file that every server reads as `vendor_data.json`. Empty: none.',
  },
  {
    key: 'consoleTokenSeconds',
    kind: 'integer',
    fallback: 600,
    check: between(1),
    help: 'How long the address of a console is good for.',
  },
  { key: 'tokenHours', kind: 'number', fallback: 1, check: above(0), help: 'How long a token is good for.' },
  {
    key: 'enforceScope',
    kind: 'boolean',
    fallback: false,
    help: 'A policy rule takes tokens of its scope types only (system, domain, project), as oslo.policy enforces it.',
  },
  {
    key: 'enforceNewDefaults',
    kind: 'boolean',
    fallback: false,
    help: 'Only the new defaults of the policy count. Off: what a deprecated default allows stays allowed.',
  },
  {
    key: 'adminProject',
    kind: 'text',
    fallback: 'admin',
    help: "Administrators of this project of the domain Default are the cloud's under the new defaults. Empty: only those of the system.",
  },
  {
    key: 'identityV2',
    kind: 'boolean',
    fallback: true,
    help: 'Serve the log-ins of old clients: Identity API v2.0 (`/v2.0/tokens`, `/v2.0/tenants`), Object Storage (`/auth/v1.0`).',
  },
  {
    key: 'federation.trustedProxies',
    kind: 'text',
    fallback: '',
    check: (value: string) =>
      value === '' || value.split(',').every((address) => isIP(address.trim())) ? null : 'must be addresses and commas',
    help: 'Proxies whose word on a federated log-in is taken. Empty: whoever knows `federation.proxySecret`.',
  },
  {
    key: 'federation.proxySecret',
    kind: 'text',
    fallback: '',
    help: 'What such a proxy sends in `X-Federation-Secret`. With no proxies and no secret, federated log-in is off.',
  },
  {
    key: 'federation.headerPrefix',
    kind: 'text',
    fallback: 'X-Federation-',
    check: matches(/^[A-Za-z0-9-]+$/, 'the beginning of a header name'),
    help: 'Request headers that begin so are what the identity provider says; the rest of the name is the attribute.',
  },
  {
    key: 'federation.remoteIdAttribute',
    kind: 'text',
    fallback: '',
    help: 'The attribute in which an identity provider names itself, where its protocol does not say.',
  },
  {
    key: 'federation.trustedDashboards',
    kind: 'text',
    fallback: '',
    help: 'Addresses of dashboards, separated by commas, to which a log-in in the browser may hand its token.',
  },
  {
    key: 'securityCompliance.lockoutFailureAttempts',
    kind: 'integer',
    fallback: 0,
    check: between(0),
    help: 'Wrong passwords in a row that lock a user; 0: never.',
  },
  {
    key: 'securityCompliance.lockoutDurationSeconds',
    kind: 'integer',
    fallback: 1800,
    check: between(0),
    help: 'How long a user stays locked; 0: until a new password is set.',
  },
  {
    key: 'securityCompliance.passwordExpiresDays',
    kind: 'integer',
    fallback: 0,
    check: between(0),
    help: 'Days until a new password must be changed; 0: never.',
  },
  {
    key: 'securityCompliance.uniqueLastPasswordCount',
    kind: 'integer',
    fallback: 0,
    check: between(0, 24),
    help: 'Former passwords, the present one included, that a user must not choose again.',
  },
  {
    key: 'securityCompliance.minimumPasswordAgeDays',
    kind: 'integer',
    fallback: 0,
    check: between(0),
    help: 'Days that users must keep a password they chose.',
  },
  {
    key: 'securityCompliance.passwordRegex',
    kind: 'text',
    fallback: '',
    check: pattern,
    help: 'What a new password must match, from its start; empty: anything.',
  },
  {
    key: 'securityCompliance.passwordRegexDescription',
    kind: 'text',
    fallback: '',
    help: 'The same in words, for people whose password is refused.',
  },
  {
    key: 'securityCompliance.changePasswordUponFirstUse',
    kind: 'boolean',
    fallback: false,
    help: 'A password set by an administrator must be changed before the first log-in.',
  },
  { key: 'cpuAllocationRatio', kind: 'number', fallback: 4, check: above(0), help: 'vCPUs promised per core.' },
  {
    key: 'ramAllocationRatio',
    kind: 'number',
    fallback: 1,
    check: above(0),
    help: 'Memory promised per byte of memory.',
  },
  { key: 'diskAllocationRatio', kind: 'number', fallback: 1, check: above(0), help: 'Disk promised per byte of disk.' },
  {
    key: 'scheduler.enabledFilters',
    kind: 'text',
    fallback:
      'ComputeFilter,AvailabilityZoneFilter,SameHostFilter,DifferentHostFilter,ImagePropertiesFilter,' +
      'ComputeCapabilitiesFilter,ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter',
    help: 'The filters that hosts must pass, parted by commas; names as in Nova.',
  },
  {
    key: 'scheduler.ramWeightMultiplier',
    kind: 'number',
    fallback: 1,
    help: 'Prefer hosts with more free memory; 0: not at all.',
  },
  {
    key: 'scheduler.cpuWeightMultiplier',
    kind: 'number',
    fallback: 1,
    help: 'Prefer hosts with more free vCPUs; 0: not at all.',
  },
  {
    key: 'scheduler.diskWeightMultiplier',
    kind: 'number',
    fallback: 1,
    help: 'Prefer hosts with more free disk; 0: not at all.',
  },
  {
    key: 'scheduler.ioOpsWeightMultiplier',
    kind: 'number',
    fallback: -1,
    help: 'Prefer hosts with more under way; negative: with less; 0: not at all.',
  },
  {
    key: 'scheduler.softAffinityWeightMultiplier',
    kind: 'number',
    fallback: 10,
    help: 'How much soft affinity weighs; 0: not at all.',
  },
  {
    key: 'scheduler.softAntiAffinityWeightMultiplier',
    kind: 'number',
    fallback: 10,
    help: 'How much soft anti-affinity weighs; 0: not at all.',
  },
  {
    key: 'scheduler.buildFailureWeightMultiplier',
    kind: 'number',
    fallback: 1000000,
    help: 'How much servers made in vain weigh against their host; 0: not at all.',
  },
  {
    key: 'scheduler.maxIoOpsPerHost',
    kind: 'integer',
    fallback: 8,
    check: between(1),
    help: 'For `IoOpsFilter`: servers of a host that something may be done about at once.',
  },
  {
    key: 'scheduler.maxInstancesPerHost',
    kind: 'integer',
    fallback: 50,
    check: between(1),
    help: 'For `NumInstancesFilter`: servers that a host may have.',
  },
  { key: 'quotas.instances', kind: 'integer', fallback: 10, check: between(-1), help: 'Servers a project; -1: any.' },
  { key: 'quotas.cores', kind: 'integer', fallback: 20, check: between(-1), help: 'vCPUs a project; -1: any.' },
  {
    key: 'quotas.ramMiB',
    kind: 'integer',
    fallback: 51_200,
    check: between(-1),
    help: 'Memory a project in MiB; -1: any.',
  },
  { key: 'quotas.keyPairs', kind: 'integer', fallback: 100, check: between(-1), help: 'Key pairs a user; -1: any.' },
  {
    key: 'allowResizeToSameHost',
    kind: 'boolean',
    fallback: true,
    help: "Whether a resize changes a server's limits where it is, when there is room; else it always moves.",
  },
  {
    key: 'reclaimInstanceInterval',
    kind: 'integer',
    fallback: 0,
    check: between(0),
    help: 'Seconds that a deleted server may still be restored; 0: it is gone at once.',
  },
  {
    key: 'imageSizeMaxBytes',
    kind: 'integer',
    fallback: 0,
    check: between(0),
    help: 'The largest image that may be uploaded; 0: as the disk allows.',
  },
  {
    key: 'storageFlavor',
    kind: 'text',
    fallback: 'local',
    check: matches(/^[\w-]{1,41}$/, 'the name of a storage flavour'),
    help: 'Where images and pushed layers go: `local`, or a flavour of `storageConfig`. Also read from `SETTINGS_FLAVOR`.',
  },
  {
    key: 'storageConfig',
    kind: 'text',
    fallback: '',
    help: 'A docker-registry `config.yml` of flavours, relative to the state directory. Also read from `DOCKER_REGISTRY_CONFIG`. Empty: the usual ones.',
  },
  {
    key: 'imageStores',
    kind: 'text',
    fallback: '',
    check: listOf(/^[\w-]{1,41}$/, 'names of storage flavours'),
    help: 'Further flavours that images may be put into and copied to.',
  },
  {
    key: 'scrubMiBPerSecond',
    kind: 'number',
    fallback: 8,
    check: between(0),
    help: 'How fast stored layers are held against their digests, each about once a week; 0: never.',
  },
  {
    key: 'registryReadOnly',
    kind: 'boolean',
    fallback: false,
    help: 'Refuse pushes and deletions in the registry (405), for as long as it lasts.',
  },
  {
    key: 'registryUpstreams',
    kind: 'text',
    fallback: '',
    check: listOf(/^[a-z0-9]+(?:[._-][a-z0-9]+)*=https?:\/\/\S+$/, 'NAME=URL'),
    help: 'Registries to cache: `hub=https://registry-1.docker.io` makes `library/hub/library/alpine:3` of the public `alpine:3`, fetched when it is pulled.',
  },
  {
    key: 'registryNotifications',
    kind: 'text',
    fallback: '',
    check: listOf(/^https?:\/\/\S+$/, 'http:// or https:// addresses'),
    help: 'Who is told of pushes and deletions, in the envelope of distribution; `http://user:password@…` for a log-in.',
  },
  {
    key: 'tls.services',
    kind: 'text',
    fallback: 'none',
    check: oneOf('none', 'registry', 'all'),
    help: 'Which APIs speak TLS: `none`, the `registry`, or `all`. This machine itself may go on speaking plain HTTP to them.',
  },
  {
    key: 'tls.certificate',
    kind: 'text',
    fallback: '',
    help: 'A file with the certificate and what leads to its root, in PEM. Empty: one from an authority of our own (`berth tls`).',
  },
  { key: 'tls.key', kind: 'text', fallback: '', help: 'The file with its key, in PEM.' },
  {
    key: 'imageImport.allowedSchemes',
    kind: 'text',
    fallback: 'http,https',
    check: listOf(/^https?$/, '`http` and `https`'),
    help: 'How image imports may fetch (`web-download`).',
  },
  {
    key: 'imageImport.disallowedSchemes',
    kind: 'text',
    fallback: '',
    check: listOf(/^[a-z]+$/, 'schemes'),
    help: 'How they may not; read only where none is allowed by name.',
  },
  {
    key: 'imageImport.allowedHosts',
    kind: 'text',
    fallback: '',
    check: listOf(/^[\w.:-]+$/, 'host names and addresses'),
    help: 'From whom they may fetch, and from nobody else; these may have internal addresses. Empty: all but internal ones.',
  },
  {
    key: 'imageImport.disallowedHosts',
    kind: 'text',
    fallback: '',
    check: listOf(/^[\w.:-]+$/, 'host names and addresses'),
    help: 'From whom they may not; read only where none is allowed by name.',
  },
  {
    key: 'imageImport.allowedPorts',
    kind: 'text',
    fallback: '80,443',
    check: listOf(/^\d{1,5}$/, 'ports'),
    help: 'The ports they may connect to; empty: any.',
  },
  {
    key: 'imageImport.disallowedPorts',
    kind: 'text',
    fallback: '',
    check: listOf(/^\d{1,5}$/, 'ports'),
    help: 'The ports they may not; read only where none is allowed by name.',
  },
  {
    key: 'faults',
    kind: 'boolean',
    fallback: false,
    help: 'For tests: a step named over the control socket kills the process or the engine.',
  },
]

/** `quotas.ramMiB` → `BERTH_QUOTAS_RAM_MIB`. */
export const variableOf = (key: string): string =>
  `BERTH_${key
    .replace('MiB', 'Mib')
    .replaceAll('.', '_')
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .toUpperCase()}`
