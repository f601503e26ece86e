import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { openEngine } from '../machine/docker/engine.ts'
import { ping } from '../machine/docker/system.ts'
import { CloudError } from '../platform/errors.ts'
import { childrenOf, commandOf, end, findProcesses, signal } from './processes.ts'
import { statePaths, writePrivate } from './state.ts'
import { findProgram } from './tools.ts'

const exec = promisify(execFile)

/** Where `berth engine move` has put the engine's data: a file that is changed whole or not at all. */
const pointer = (stateDir: string): string => join(stateDir, 'engine-data.json')

/** In a data root that was moved: without it, what should be mounted there is not. */
export const dataRootMark = '.berth-engine'

export function dataRootOf(stateDir: string): string {
  const path = pointer(stateDir)
  if (!existsSync(path)) return statePaths(stateDir).engine
  return (JSON.parse(readFileSync(path, 'utf8')) as { dataRoot: string }).dataRoot
}

export const pointDataRoot = (stateDir: string, dataRoot: string): void =>
  writePrivate(pointer(stateDir), `${JSON.stringify({ dataRoot })}\n`)

/**
 * Where our own engine lives. Its sockets must have short paths (107 bytes), and with user namespaces root in a server
 * is nobody here, who may not pass through a state directory of mode 0700: so all it opens is below /run, and its data
 * is bound there from the state directory. The name holds through a reboot and a moved state directory.
 */
export const enginePaths = (stateDir: string, cloudId: string) => ({
  run: `/run/berth/${cloudId}`,
  /** Bound to `data` below /run. */
  kept: dataRootOf(stateDir),
  /** Where it was at first. */
  first: statePaths(stateDir).engine,
  data: `/run/berth/${cloudId}/engine`,
  exec: `/run/berth/${cloudId}/exec`,
  socket: `/run/berth/${cloudId}/docker.sock`,
  pid: `/run/berth/${cloudId}/docker.pid`,
  settings: join(stateDir, 'engine.json'),
  log: join(stateDir, 'engine.log'),
})
export type EnginePaths = ReturnType<typeof enginePaths>

/** The engine's process; undefined when it does not run. */
export function findEngine(paths: EnginePaths): number | undefined {
  const pid = existsSync(paths.pid) ? Number(readFileSync(paths.pid, 'utf8').trim()) : Number.NaN
  return Number.isInteger(pid) && commandOf(pid).includes(paths.pid) ? pid : undefined
}

/** The choice made at the first start; undefined before. It moves all data, so it stays. */
export function chosenUserNamespaces(paths: EnginePaths): boolean | undefined {
  if (!existsSync(paths.settings)) return undefined
  return 'userns-remap' in (JSON.parse(readFileSync(paths.settings, 'utf8')) as object)
}

/**
 * Written once, so that what an operator changes here stays changed. The engine leaves the machine's firewall and
 * addresses alone; what servers write is kept within bounds; servers live on when the engine ends.
 * Source: dockerd reference, "Daemon configuration file".
 */
export function writeSettings(paths: EnginePaths, userNamespaces: boolean): void {
  const settings = {
    bridge: 'none',
    iptables: false,
    ip6tables: false,
    'ip-masq': false,
    'live-restore': true,
    'log-driver': 'json-file',
    'log-opts': { 'max-size': '4m', 'max-file': '2' },
    ...(userNamespaces ? { 'userns-remap': 'default' } : {}),
  }
  writePrivate(paths.settings, `${JSON.stringify(settings, null, 2)}\n`)
}

/**
 * Starts the engine, detached: it outlives us. Repeatable: one that runs is taken over.
 * @throws CloudError with the last words of its log when it does not come up.
 */
export async function startEngine(paths: EnginePaths, log?: (line: string) => void): Promise<{ adopted: boolean }> {
  const running = findEngine(paths)
  if (running !== undefined) {
    if (await answers(paths, running, 15_000)) return { adopted: true }
    throw new CloudError('unavailable', `the engine (process ${running}) runs, but does not answer; see ${paths.log}`)
  }
  const program = findProgram('dockerd')
  if (!program) throw new CloudError('unavailable', 'dockerd is missing; as root, run: apt-get install docker.io')
  for (const folder of ['/run/berth', paths.run, paths.data]) mkdirSync(folder, { recursive: true, mode: 0o711 })
  requireData(paths)
  if (!isMounted(paths.data)) await exec('mount', ['--bind', paths.kept, paths.data])
  rmSync(paths.pid, { force: true })
  await clearContainerd(paths)
  const out = openSync(paths.log, 'a', 0o600)
  const args = ['--config-file', paths.settings, '--host', `unix://${paths.socket}`, '--group', 'root']
  args.push('--data-root', paths.data, '--exec-root', paths.exec, '--pidfile', paths.pid, '--log-level', 'warn')
  const child = spawn(program, args, { detached: true, stdio: ['ignore', out, out], cwd: '/' })
  child.unref()
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  log?.(`engine: process ${child.pid} started`)
  if (await answers(paths, child.pid as number, 60_000)) return { adopted: false }
  await end(child.pid as number, 5_000)
  const reason = lastWords(paths.log)
  throw new CloudError('unavailable', `the engine did not start: ${reason}; more in ${paths.log}`)
}

/** @throws CloudError for a moved data root that is not there: an empty engine in its place would lose every server */
function requireData(paths: EnginePaths): void {
  if (paths.kept === paths.first) mkdirSync(paths.kept, { recursive: true, mode: 0o711 })
  else if (!existsSync(join(paths.kept, dataRootMark))) {
    const text = `the engine's data was moved to ${paths.kept}, and is not there; is its disk mounted?`
    throw new CloudError('unavailable', text)
  }
}

/**
 * After an engine that was killed: its containerd dies with it, but as long as nobody has reaped it, the next engine
 * takes it for alive, waits for it, and gives up. Servers are kept by processes of their own, and live on.
 */
async function clearContainerd(paths: EnginePaths): Promise<void> {
  const file = join(paths.exec, 'containerd', 'containerd.pid')
  if (!existsSync(file)) return
  const pid = Number(readFileSync(file, 'utf8').trim())
  if (commandOf(pid).some((word) => word.startsWith(paths.exec))) await end(pid, 5_000)
  rmSync(file, { force: true })
}

/** Waits for the first answer; false when the process ends before, or the time is over. */
async function answers(paths: EnginePaths, pid: number, timeoutMs: number): Promise<boolean> {
  const engine = openEngine(paths.socket)
  const until = performance.now() + timeoutMs
  try {
    while (performance.now() < until) {
      const up = await ping(engine, AbortSignal.timeout(5_000)).then(
        () => true,
        () => false,
      )
      if (up) return true
      if (commandOf(pid).length === 0) return false
      await pause(20)
    }
    return false
  } finally {
    await engine.close()
  }
}

/** Looks after an engine of ours: one that ended is started again. Returns the way to stop looking. */
export function watchEngine(paths: EnginePaths, log: { error(o: object, m: string): void; warn(m: string): void }) {
  let busy = false
  const timer = setInterval(() => {
    if (busy || findEngine(paths) !== undefined) return
    busy = true
    log.warn('the engine has ended; starting it again')
    startEngine(paths)
      .catch((error: unknown) => log.error({ err: error }, 'the engine cannot be started; trying again'))
      .finally(() => {
        busy = false
      })
  }, 1_000)
  return () => clearInterval(timer)
}

/** Ends the engine; servers go on running. */
export async function stopEngine(paths: EnginePaths): Promise<void> {
  const pid = findEngine(paths)
  if (pid !== undefined) await end(pid, 20_000)
}

/** Ends the engine and every server it left running, unmounts its file systems, and removes its files. Repeatable. */
export async function removeEngine(paths: EnginePaths): Promise<void> {
  await stopEngine(paths)
  const containerd = `${paths.exec}/containerd/containerd.sock`
  for (const left of findProcesses(
    (words) => words.includes(containerd) || words.some((w) => w.startsWith(`${paths.exec}/containerd/`)),
  )) {
    for (const child of childrenOf(left)) signal(child, 'SIGKILL')
    await end(left, 5_000)
  }
  await unmountBelow(paths.run)
  await unmountBelow(paths.kept)
  rmSync(paths.run, { recursive: true, force: true })
  rmSync(paths.kept, { recursive: true, force: true })
  for (const file of [paths.settings, paths.log]) rmSync(file, { force: true })
  if (existsSync('/run/berth') && readdirSync('/run/berth').length === 0) rmSync('/run/berth', { recursive: true })
}

/** Where something is mounted. Source: proc_pid_mountinfo(5): the fifth field, with blanks and such as octal. */
function mountPoints(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
}

export const isMounted = (path: string): boolean => mountPoints().includes(path)

/** Unmounts `folder` and all below it, the innermost first. */
export async function unmountBelow(folder: string): Promise<void> {
  for (const path of mountPoints().reverse()) {
    if (path !== folder && !path.startsWith(`${folder}/`)) continue
    await exec('umount', [path]).catch(() => exec('umount', ['--lazy', path]))
  }
}

/** The last thing the engine said, without its decoration. */
function lastWords(path: string): string {
  const lines = readFileSync(path, 'utf8').trim().split('\n').slice(-20)
  const telling = lines.findLast((line) => /level=(fatal|error)|^failed|panic/.test(line)) ?? lines.at(-1) ?? ''
  return /msg="((?:[^"\\]|\\.)*)"/.exec(telling)?.[1]?.replaceAll('\\"', '"') ?? telling
}
