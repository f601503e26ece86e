import { existsSync, readFileSync, writeFileSync } from 'node:fs'

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

/** Keys and their bytes that a user may own; each server takes one key for its session. Source: keyrings(7). */
const keyLimits = { maxkeys: 20_000, maxbytes: 2_000_000 }

/**
 * With user namespaces all servers count as one user of the kernel's key service, which by default stops at about 200
 * of them. Raises the limits where they are lower, and says so. Not lowered again: others may count on them by then.
 */
export function raiseKeyLimits(say: (line: string) => void): void {
  for (const [name, wanted] of Object.entries(keyLimits)) {
    const path = `/proc/sys/kernel/keys/${name}`
    const now = Number(kernelSays(path) ?? Number.NaN)
    if (!(now < wanted)) continue
    try {
      writeFileSync(path, `${wanted}`)
      say(`kernel.keys.${name} raised from ${now} to ${wanted}, for more than 200 servers`)
    } catch (error) {
      say(`kernel.keys.${name} is ${now} and cannot be raised (${(error as Error).message}); see berth doctor`)
    }
  }
}
