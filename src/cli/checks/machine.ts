import { existsSync, statfsSync } from 'node:fs'
import { cpus, freemem, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { kernelSays } from '../kernel.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

const GiB = 1024 ** 3

export function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major > 24 || (major === 24 && minor >= 7)
    ? ok(`node ${process.versions.node}`)
    : fail(`node ${process.versions.node}`, 'Node 24.7 or newer is needed: run npm ci, which brings one')
}

export function checkRoot(): Finding {
  return process.getuid?.() === 0
    ? ok('root')
    : fail('not root', 'a cloud makes networks and containers: run it with sudo. Some checks below need root, too')
}

export function checkMemory(): Finding[] {
  const available =
    Number(/MemAvailable:\s+(\d+)/.exec(kernelSays('/proc/meminfo') ?? '')?.[1] ?? 0) * 1024 || freemem()
  const text = `memory: ${(available / GiB).toFixed(1)} of ${(totalmem() / GiB).toFixed(1)} GiB available`
  const memory =
    available < 0.25 * GiB
      ? fail(text, 'the engine and the services need 256 MiB between them: stop something')
      : available < GiB
        ? warn(text, 'few servers will fit')
        : ok(text)
  return [memory, ok(`processors: ${cpus().length}`)]
}

/** Space where the state directory is, or will be. */
export function checkDisk(stateDir: string): Finding {
  let folder = stateDir
  while (!existsSync(folder)) folder = dirname(folder)
  const { bavail, bsize, files, ffree } = statfsSync(folder)
  const free = bavail * bsize
  const text = `disk: ${(free / GiB).toFixed(1)} GiB free in ${folder}`
  if (free < GiB) return fail(text, 'images and servers are kept here: make room, or name another --state-dir')
  if (files > 0 && ffree < 50_000) return warn(`${text}, ${ffree} inodes`, 'images are many small files: make room')
  return free < 5 * GiB ? warn(text, 'a few images will fill it') : ok(text)
}

const limits: readonly { path: string; name: string; least: number; why: string }[] = [
  { path: '/proc/sys/kernel/pid_max', name: 'kernel.pid_max', least: 32_768, why: 'processes of all servers together' },
  { path: '/proc/sys/fs/file-max', name: 'fs.file-max', least: 100_000, why: 'open files of the machine' },
  {
    path: '/proc/sys/fs/inotify/max_user_instances',
    name: 'fs.inotify.max_user_instances',
    least: 1_024,
    why: 'on cgroup v2 each server takes one',
  },
  {
    path: '/proc/sys/kernel/keys/maxkeys',
    name: 'kernel.keys.maxkeys',
    least: 2_000,
    why: 'with user namespaces each server takes one, and all of them count as one user',
  },
  {
    path: '/proc/sys/net/ipv4/neigh/default/gc_thresh3',
    name: 'net.ipv4.neigh.default.gc_thresh3',
    least: 4_096,
    why: 'neighbours of all networks together',
  },
]

/** What bounds the number of servers long before memory does. */
export function checkLimits(): Finding[] {
  const kernel = limits.flatMap(({ path, name, least, why }) => {
    const value = Number(kernelSays(path) ?? Number.NaN)
    if (Number.isNaN(value)) return []
    const text = `limit: ${name} = ${value}`
    return value >= least ? [ok(text)] : [warn(text, `for many servers (${why}): sysctl -w ${name}=${least}`)]
  })
  const files = Number(/Max open files\s+\S+\s+(\d+)/.exec(kernelSays('/proc/self/limits') ?? '')?.[1] ?? 0)
  const text = `limit: ${files} open files a process`
  return [...kernel, files >= 8_192 ? ok(text) : warn(text, 'raise it: ulimit -Hn 65536 (or LimitNOFILE= of the unit)')]
}

/** A clock that stands wrong or jumps makes tokens expire too early or too late. */
export async function checkClock(): Promise<Finding[]> {
  const findings: Finding[] = []
  const ahead = () => Date.now() - performance.now()
  const before = ahead()
  await new Promise((resolve) => setTimeout(resolve, 200))
  const jump = Math.round(Math.abs(ahead() - before))
  if (jump > 50) findings.push(warn(`clock: it jumped by ${jump} ms within 200 ms`, 'see what else sets it'))
  if (new Date().getUTCFullYear() < 2025)
    findings.push(fail(`clock: ${new Date().toISOString()}`, 'set it: tokens carry times'))
  const known = existsSync('/run/systemd/timesync/synchronized') || existsSync('/run/chrony')
  const text = `clock: ${new Date().toISOString().slice(0, 19)}Z, ${known ? 'kept by the network' : 'nobody seems to keep it'}`
  // Several hosts compare their clocks; a single one only with itself.
  findings.push(known ? ok(text) : warn(text, 'with more than one host, install chrony or systemd-timesyncd'))
  return findings
}

/** Bounds for memory, processors and processes need these. Source: cgroups(7). */
export function checkCgroups(): Finding {
  const wanted = ['cpu', 'memory', 'pids']
  const v2 = kernelSays('/sys/fs/cgroup/cgroup.controllers')
  const here = v2 !== undefined ? v2.split(' ') : wanted.filter((name) => existsSync(`/sys/fs/cgroup/${name}`))
  const absent = wanted.filter((name) => !here.includes(name))
  const text = `cgroups: ${v2 !== undefined ? 'v2' : 'v1'}, ${absent.length === 0 ? 'cpu, memory and pids' : `without ${absent.join(', ')}`}`
  return absent.length === 0
    ? ok(text)
    : fail(text, `servers could not be held to their flavors; boot with cgroup_enable=${absent.join(',')}`)
}
