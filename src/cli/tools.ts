import { execFile } from 'node:child_process'
import { accessSync, closeSync, constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CloudError, messageOf } from '../platform/errors.ts'

const exec = promisify(execFile)

/** A program of the machine that the cloud starts, and Debian's package that brings it. */
export interface Tool {
  readonly program: string
  readonly package: string
  /** Only an engine of our own needs it. */
  readonly engine?: boolean
  /** It is put into images, where no library is beside it. */
  readonly static?: boolean
  /** Only a cloud of many hosts needs it, and the tests. */
  readonly manyHosts?: boolean
  /** Only the tests start it. */
  readonly test?: boolean
}

export const tools: readonly Tool[] = [
  { program: 'dockerd', package: 'docker.io', engine: true },
  { program: 'iptables', package: 'iptables', engine: true },
  { program: 'ip', package: 'iproute2' },
  { program: 'bridge', package: 'iproute2' },
  { program: 'nft', package: 'nftables' },
  { program: 'dnsmasq', package: 'dnsmasq-base' },
  { program: 'conntrack', package: 'conntrack' },
  { program: 'dropbear', package: 'dropbear-bin' },
  { program: 'busybox', package: 'busybox-static', static: true },
  { program: 'nats-server', package: 'nats-server', manyHosts: true },
  { program: 'ping', package: 'iputils-ping', test: true },
  { program: 'postgres', package: 'postgresql', test: true },
  { program: 'docker', package: 'docker.io', test: true },
  { program: 'skopeo', package: 'skopeo', test: true },
  { program: 'openstack', package: 'python3-openstackclient', test: true },
  { program: 'nova', package: 'python3-novaclient', test: true },
  { program: 'glance', package: 'python3-glanceclient', test: true },
]

/** Programs of the system live here even when a user's own PATH leaves them out; PostgreSQL keeps its own to itself. */
const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
const postgres = ['18', '17', '16', '15', '14'].map((version) => `/usr/lib/postgresql/${version}/bin`)

/** Where a program is; undefined when it is nowhere. */
export function findProgram(program: string): string | undefined {
  const candidates = (program === 'postgres' ? postgres : folders).map((folder) => join(folder, program))
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Whether an ELF program asks for a dynamic linker: a program header of type PT_INTERP (3). Source: ELF-64, figure 6. */
export function isStatic(path: string): boolean {
  const file = openSync(path, 'r')
  try {
    const head = Buffer.alloc(4096)
    readSync(file, head, 0, head.length, 0)
    const wide = head[4] === 2
    const start = wide ? Number(head.readBigUInt64LE(32)) : head.readUInt32LE(28)
    const size = head.readUInt16LE(wide ? 54 : 42)
    const count = head.readUInt16LE(wide ? 56 : 44)
    return !Array.from({ length: count }, (_, i) => head.readUInt32LE(start + i * size)).includes(3)
  } finally {
    closeSync(file)
  }
}

/** The tools that are not here, or not as they must be. */
export function missingTools(ownEngine: boolean, forTests = false, manyHosts = forTests): Tool[] {
  return tools.filter((tool) => {
    if ((tool.engine && !ownEngine) || (tool.test && !forTests) || (tool.manyHosts && !manyHosts)) return false
    const path = findProgram(tool.program)
    return path === undefined || (tool.static === true && !isStatic(path))
  })
}

/**
 * Installs what is missing with apt-get, saying so. Repeatable; does nothing when all is here.
 * @throws CloudError that says what to run when we may not, or cannot, install.
 */
export async function ensureTools(options: {
  ownEngine: boolean
  forTests?: boolean
  manyHosts?: boolean
  say: (line: string) => void
}): Promise<void> {
  const packages = () => [
    ...new Set(
      missingTools(options.ownEngine, options.forTests, options.forTests || options.manyHosts).map(
        (tool) => tool.package,
      ),
    ),
  ]
  const wanted = packages()
  if (wanted.length === 0) return
  const command = `apt-get install -y ${wanted.join(' ')}`
  const apt = findProgram('apt-get')
  if (process.getuid?.() !== 0 || !apt) {
    throw new CloudError('unavailable', `these packages are missing: ${wanted.join(', ')}; as root, run: ${command}`)
  }
  options.say(`installing ${wanted.join(', ')} (${command})`)
  const install = () => aptGet(apt, ['install', '-y', '--no-install-recommends', ...wanted])
  try {
    // A fresh machine has no package lists, or old ones.
    await install().catch(() => aptGet(apt, ['update']).then(install))
  } catch (error) {
    throw new CloudError('unavailable', `could not install ${wanted.join(', ')}: ${lastLine(error)}`, { cause: error })
  }
  const left = packages()
  if (left.length > 0) throw new CloudError('unavailable', `${left.join(', ')}: installed, and still not to be found`)
}

const aptGet = (apt: string, args: string[]) =>
  exec(apt, ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    env: { ...aptEnvironment, PATH: folders.join(':') },
    maxBuffer: 64 * 1024 * 1024,
  })
const aptEnvironment = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' }

function lastLine(error: unknown): string {
  const stderr = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1)
  return stderr || messageOf(error)
}
