import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { pack } from 'tar-stream'
import { type Engine, openEngine } from '../../src/machine/docker/engine.ts'
import * as images from '../../src/machine/docker/images.ts'
import * as system from '../../src/machine/docker/system.ts'

const run = promisify(execFile)

export interface TestEngine {
  readonly engine: Engine
  readonly socketPath: string
  /** Image id (`sha256:…`) of a busybox whose command is `sh`. */
  readonly busybox: string
  /** Ends the daemon as power loss does; containers of an engine without live restore die with it. */
  kill(): Promise<void>
  /** Ends it properly. */
  stop(): Promise<void>
  /** Starts it again on what it had. */
  start(): Promise<void>
}

export interface EngineOptions {
  /** A network namespace of its own, so that its bridges are nobody else's. It then reaches no address of the machine. */
  ownNetwork?: boolean
  flags?: readonly string[]
}

/** A Docker Engine of the test's own: temporary roots, own socket, no touch of the machine's firewall; all gone after `t`. */
export async function startEngine(
  t: { after(f: () => Promise<void>): void },
  options: EngineOptions = {},
): Promise<TestEngine> {
  const root = await mkdtemp(join(tmpdir(), 'berth-engine-'))
  await chmod(root, 0o711) // with user namespaces, root in a container is nobody out here
  const socketPath = join(root, 'docker.sock')
  const engine = openEngine(socketPath)
  let daemon: ChildProcess | null = null

  const start = async () => {
    daemon = launch(root, socketPath, options)
    await answering(engine, daemon, root)
  }
  const end = async (signal: NodeJS.Signals) => {
    const ending = daemon
    daemon = null
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const ended = once(ending, 'exit')
    ending.kill(signal)
    await ended
    await containerdGone(root)
  }
  t.after(async () => {
    try {
      if (!daemon) await start() // only the engine itself clears away its containers' shims
      await removeContainers(engine)
    } finally {
      await engine.close()
      await end('SIGTERM')
      await unmountBelow(root)
    }
    await rm(root, { recursive: true, force: true })
  })
  await start()
  const busybox = await importBusybox(engine)
  return { engine, socketPath, busybox, start, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') }
}

/** An image of one file: the machine's static busybox, with the links for `applets`. Returns its id. */
export async function importBusybox(engine: Engine, changes: readonly string[] = ['CMD ["sh"]']): Promise<string> {
  const archive = pack()
  archive.entry({ name: 'bin/busybox', mode: 0o755 }, await readFile('/bin/busybox'))
  for (const applet of ['sh', 'sleep', 'cat', 'echo', 'ip', 'ls', 'hostname', 'env', 'true', 'false', 'head', 'ping'])
    archive.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' })
  for (const name of ['tmp/', 'etc/', 'root/']) archive.entry({ name, type: 'directory', mode: 0o755 })
  archive.finalize()
  return images.importTar(engine, Readable.from(archive), { changes, signal: AbortSignal.timeout(60_000) })
}

function launch(root: string, socketPath: string, { ownNetwork = false, flags = [] }: EngineOptions): ChildProcess {
  const dockerd = [
    ...['dockerd', '--data-root', join(root, 'data'), '--exec-root', join(root, 'exec')],
    ...['--pidfile', join(root, 'pid'), '--host', `unix://${socketPath}`],
    ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-masq=false', ...flags],
  ]
  // The daemon must not outlive a test that was killed.
  const command = ['setpriv', '--pdeathsig', 'TERM', ...(ownNetwork ? ['unshare', '--net', '--'] : []), ...dockerd]
  const daemon = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  const log = createWriteStream(join(root, 'dockerd.log'), { flags: 'a' })
  daemon.stdout!.pipe(log, { end: false })
  daemon.stderr!.pipe(log, { end: false })
  return daemon
}

async function answering(engine: Engine, daemon: ChildProcess, root: string): Promise<void> {
  const deadline = AbortSignal.timeout(60_000)
  let failed: unknown = null
  daemon.once('error', (error) => {
    failed = error
  })
  for (;;) {
    try {
      return await system.ping(engine, deadline)
    } catch (thrown) {
      const dead = failed ?? daemon.exitCode
      if (dead !== null || deadline.aborted) {
        const log = await readFile(join(root, 'dockerd.log'), 'utf8').catch(() => '')
        assert.fail(`The test's engine does not start: ${failed ?? thrown}\n${log.slice(-2000)}`)
      }
    }
    await delay(50)
  }
}

/** A daemon started while its forerunner's containerd is still ending takes that one for its own, and waits in vain. */
async function containerdGone(root: string): Promise<void> {
  const pid = Number(await readFile(join(root, 'exec', 'containerd', 'containerd.pid'), 'utf8').catch(() => ''))
  if (!pid) return
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await delay(20)
  }
}

async function removeContainers(engine: Engine): Promise<void> {
  const signal = AbortSignal.timeout(60_000)
  const found = await engine.json<{ Id: string }[]>('GET', '/containers/json', { query: { all: true }, signal })
  for (const { Id } of found)
    await engine.send('DELETE', `/containers/${Id}`, { query: { v: true, force: true }, signal, accept: [404, 409] })
}

async function unmountBelow(root: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
  for (const point of mounts.filter((mount) => mount.startsWith(`${root}/`)).reverse())
    await run('umount', ['--lazy', point])
}
