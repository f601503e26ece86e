import { readdir } from 'node:fs/promises'
import { mustRun, runTool } from './command.ts'

const folder = '/run/netns'

/** Where a named namespace is found in the file system. Source: ip-netns(8). */
export const namespacePath = (name: string): string => `${folder}/${name}`

/**
 * The words that run a command inside a namespace: a name of `listNamespaces`, or a path. Only the network changes:
 * `ip netns exec` would also remount /sys, which hides the control groups.
 */
export const inNamespace = (namespace: string, argv: readonly string[]): string[] => [
  'nsenter',
  `--net=${namespace.startsWith('/') ? namespace : namespacePath(namespace)}`,
  ...argv,
]

export async function listNamespaces(): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}

/** May be repeated: one that exists stays as it is. Returns false then. */
export async function createNamespace(name: string): Promise<boolean> {
  const { code, stderr } = await runTool(['ip', 'netns', 'add', name])
  if (code === 0) return true
  if (stderr.includes('File exists')) return false
  throw new Error(`ip netns add ${name} failed: ${stderr.trim()}`)
}

/** May be repeated. The links inside go with it, as soon as no process is left in it. */
export async function deleteNamespace(name: string): Promise<void> {
  const { code, stderr } = await runTool(['ip', 'netns', 'delete', name])
  if (code !== 0 && !stderr.includes('No such file'))
    throw new Error(`ip netns delete ${name} failed: ${stderr.trim()}`)
}

/** Writes settings below /proc/sys, such as `{ 'net/ipv4/ip_forward': 1 }`, inside a namespace. */
export async function writeSysctls(namespace: string, settings: Readonly<Record<string, number>>): Promise<void> {
  const lines = Object.entries(settings).map(([path, value]) => `${path} ${value}\n`)
  const script = 'while read -r path value; do echo "$value" > "/proc/sys/$path" || exit 1; done'
  await mustRun(inNamespace(namespace, ['sh', '-c', script]), lines.join(''))
}
