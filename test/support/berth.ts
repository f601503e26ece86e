import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type EnginePaths, enginePaths } from '../../src/cli/own-engine.ts'

const program = fileURLToPath(new URL('../../berth', import.meta.url))

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

/** Runs a program to its end; never throws for its exit code. */
export function run(
  command: string,
  args: readonly string[],
  options: { env?: Record<string, string>; input?: Buffer | string; timeoutMs?: number } = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      [...args],
      {
        env: { ...process.env, ...options.env },
        timeout: options.timeoutMs ?? 120_000,
        maxBuffer: 64 << 20,
        encoding: 'utf8',
      },
      (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' ? error.code : 255) : 0
        resolve({ code, stdout, stderr })
      },
    )
    child.stdin?.on('error', () => {}) // the program ended without reading all; its exit code tells
    child.stdin?.end(options.input ?? '')
  })
}

/** A cloud of its own on this machine, through the command a user types: real engine, real network, real database. */
export interface Berth {
  readonly stateDir: string
  readonly portBase: number
  /** Runs a verb of `berth` against this cloud. */
  berth(verb: string, args?: readonly string[], env?: Record<string, string>): Promise<Ran>
  /** `up -d`. @throws Error with the command's output when it fails. */
  up(env?: Record<string, string>): Promise<void>
  down(): Promise<void>
  /** `OS_…` variables of a user of this cloud, for the clients. */
  openrc(user?: string): Promise<Record<string, string>>
  /** The pid of the running cloud. */
  pid(): Promise<number>
  /** Where this cloud's own engine is. */
  engine(): Promise<EnginePaths>
  /** Runs the docker client against this cloud's engine. */
  docker(...args: string[]): Promise<string>
  destroy(): Promise<void>
}

/** Prepares a cloud in a state directory of its own; `up()` starts it. Ports are the standard ones plus `portBase`. */
export async function newBerth(portBase: number, settings: Record<string, string> = {}): Promise<Berth> {
  const stateDir = await mkdtemp(join(tmpdir(), 'berth-cloud-'))
  const environment = {
    // Nothing that a test's servers send may leave the machine, and clouds side by side need a public range each.
    BERTH_PUBLIC_NAT: 'false',
    BERTH_PUBLIC_CIDR: `198.18.${8 + ((portBase / 100) % 200)}.0/24`,
    ...settings,
  }
  const place = ['--state-dir', stateDir]
  const self: Berth = {
    stateDir,
    portBase,
    berth: (verb, args = [], env = {}) => run(program, [verb, ...place, ...args], { env: { ...environment, ...env } }),
    async up(env = {}) {
      const ran = await self.berth('up', ['-d', '--port-base', String(portBase)], env)
      if (ran.code !== 0) throw new Error(`berth up: ${ran.code}\n${ran.stdout}\n${ran.stderr}`)
    },
    async down() {
      const ran = await self.berth('down')
      if (ran.code !== 0) throw new Error(`berth down: ${ran.code}\n${ran.stdout}\n${ran.stderr}`)
    },
    async openrc(user = 'admin') {
      const { stdout } = await self.berth('openrc', [user])
      return Object.fromEntries(
        [...stdout.matchAll(/^export (OS_\w+)=(.*)$/gm)].map(([, key, value]) => [
          key,
          value?.replace(/^['"]|['"]$/g, ''),
        ]),
      ) as Record<string, string>
    },
    pid: async () => Number((await readFile(join(stateDir, 'berth.pid'), 'utf8')).split(' ')[0]),
    engine: async () => enginePaths(stateDir, (await readFile(join(stateDir, 'cloud-id'), 'utf8')).trim()),
    async docker(...args) {
      const ran = await run('/usr/bin/docker', ['-H', `unix://${(await self.engine()).socket}`, ...args])
      if (ran.code !== 0) throw new Error(`docker ${args.join(' ')}: ${ran.stderr}`)
      return ran.stdout
    },
    async destroy() {
      await self.berth('destroy', ['--yes'])
      await rm(stateDir, { recursive: true, force: true })
    },
  }
  return self
}

/** Starts a long-running program and gives its handle; the caller ends it. */
export const start = (command: string, args: readonly string[], env: Record<string, string> = {}) =>
  spawn(command, [...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
