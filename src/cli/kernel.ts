import { existsSync, readFileSync } from 'node:fs'

/** The text of a file of /proc or /sys; undefined when the kernel has none such. */
export function kernelSays(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Why this kernel has no user namespaces; null when it has. Source: user_namespaces(7), namespaces(7). */
export function userNamespacesRefusal(): string | null {
  if (!existsSync('/proc/self/ns/user')) return 'the kernel is built without them (CONFIG_USER_NS)'
  const most = kernelSays('/proc/sys/user/max_user_namespaces')
  return most === '0' ? 'user.max_user_namespaces is 0' : null
}
