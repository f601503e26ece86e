import type { Call, Flag, Shape } from './call.ts'

/** A verb of the command: what `help` says of it, and the file that does it, loaded only when called. */
export interface Verb extends Shape {
  readonly summary: string
  /** Everything after the verb goes through unread. */
  readonly raw?: boolean
  readonly load: () => Promise<{ run(call: Call): Promise<number> }>
}

const place: Record<string, Flag> = {
  'state-dir': { value: 'DIR', help: 'where the cloud is kept (BERTH_STATE_DIR)' },
  config: { value: 'FILE', help: 'settings to read in place of berth.yaml in the state directory (BERTH_CONFIG)' },
}

export const verbs: Readonly<Record<string, Verb>> = {
  up: {
    summary: 'start the cloud; the first time, also make and seed it',
    flags: {
      detach: { short: 'd', help: 'return when it is ready, and leave it running' },
      ...place,
      bind: { value: 'ADDR', help: 'listen on this address (BERTH_BIND; 127.0.0.1)' },
      'port-base': { value: 'N', help: 'add N to every port (BERTH_PORT_BASE; 0)' },
      'no-demo': { help: 'make no first server (BERTH_DEMO=false)' },
      follow: { help: 'write progress to descriptor 3, as the child of `up -d`', hidden: true },
    },
    load: () => import('./up.ts'),
  },
  down: {
    summary: 'stop the services; servers go on running',
    flags: place,
    load: () => import('./down.ts'),
  },
  destroy: {
    summary: 'remove all that this cloud made on this machine',
    flags: { yes: { help: 'do it, in place of saying what would be removed' }, ...place },
    load: () => import('./destroy.ts'),
  },
  status: {
    summary: 'show every service, host and loop',
    flags: { json: { help: 'as JSON' }, ...place },
    load: () => import('./status.ts'),
  },
  openrc: {
    summary: 'print export lines for the OpenStack clients',
    flags: place,
    operand: 'USER',
    load: () => import('./openrc.ts'),
  },
  engine: {
    summary: 'show | disk | prune | move DIR | drop-old | userns on|off: look after the Docker Engine',
    flags: {},
    raw: true,
    load: () => import('./engine-care/index.ts'),
  },
  identity: {
    summary: 'rotate-keys: sign tokens with a new key from now on',
    flags: place,
    operand: 'rotate-keys',
    load: () => import('./identity.ts'),
  },
  images: {
    summary: 'gc [--dry-run]: remove what no image needs; scrub: look for damage in what is stored',
    flags: { 'dry-run': { help: 'of gc: only say what would be removed' }, ...place },
    operand: 'gc|scrub',
    load: () => import('./images.ts'),
  },
  host: {
    summary: 'token NAME, join URL TOKEN, up: machines that carry servers for a control elsewhere',
    flags: {},
    raw: true,
    load: () => import('./host.ts'),
  },
  policy: {
    summary: 'check RULE --as USER: say why a rule allows or refuses',
    flags: {},
    raw: true,
    load: () => import('./policy.ts'),
  },
  tls: {
    summary: 'print the lines that make clients trust this cloud; ca: the certificate to trust',
    flags: { ...place, 'port-base': { value: 'N', help: 'the ports are moved by (BERTH_PORT_BASE)' } },
    operand: 'ca',
    load: () => import('./tls.ts'),
  },
  explain: {
    summary: 'say why a server is on its host, or which filter of which host refused it',
    flags: place,
    operand: 'SERVER',
    load: () => import('./explain.ts'),
  },
  simulate: {
    summary: 'start a cloud of simulated hosts, to try the control plane: nothing runs in it',
    flags: {
      hosts: { value: 'N', help: 'so many hosts (100)' },
      latency: { value: 'MS', help: 'how long a host takes to make a server (0)' },
      fail: { value: 'PERCENT', help: 'so many of the servers cannot be made (0)' },
      ...place,
      bind: { value: 'ADDR', help: 'listen on this address (BERTH_BIND; 127.0.0.1)' },
      'port-base': { value: 'N', help: 'add N to every port (BERTH_PORT_BASE; 0)' },
    },
    load: () => import('./simulate.ts'),
  },
  doctor: {
    summary: 'check this machine, and say what to do about each finding',
    flags: {
      ...place,
      bind: { value: 'ADDR', help: 'check ports on this address' },
      'port-base': { value: 'N', help: 'check ports from here' },
    },
    load: () => import('./doctor.ts'),
  },
  test: {
    summary: 'run the tests; what follows goes to the test runner',
    flags: {},
    raw: true,
    load: () => import('./test.ts'),
  },
  help: { summary: 'show this, or how to call a verb', flags: {}, operand: 'VERB', load: () => import('./help.ts') },
  version: { summary: 'show the version', flags: {}, load: () => import('./version.ts') },
}

/** `berth up [-d] [--state-dir DIR] …`: one line. */
export function usageOf(name: string): string {
  const verb = verbs[name]
  if (!verb) return `usage: berth ${Object.keys(verbs).join('|')} [options]`
  const flags = Object.entries(verb.flags)
    .filter(([, flag]) => !flag.hidden)
    .map(([flag, { short, value }]) => `[${short ? `-${short}` : `--${flag}`}${value ? ` ${value}` : ''}]`)
  const rest = [...flags, ...(verb.operand ? [`[${verb.operand}]`] : []), ...(verb.raw ? ['[ARGS]'] : [])]
  return `usage: berth ${[name, ...rest].join(' ')}`
}
