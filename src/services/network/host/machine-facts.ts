import { access } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { runTool } from '../../../machine/net/command.ts'
import { listLinks } from '../../../machine/net/links.ts'
import { CloudError } from '../../../platform/errors.ts'
import { aliasOf, bridge } from './names.ts'

/** Whether a network's namespace was made by this cloud. */
export async function isOurs(namespace: string, cloudId: string): Promise<boolean> {
  const links = await listLinks(namespace).catch(() => [])
  return links.some((link) => link.ifname === bridge && link.ifalias === aliasOf(cloudId))
}

/** Distributions keep these as modules; a kernel that has them built in needs nothing. */
export async function loadModules(): Promise<void> {
  if (!(await exists('/proc/sys/net/bridge'))) await runTool(['modprobe', 'br_netfilter']).catch(() => {})
  if (!(await exists('/proc/sys/net/netfilter'))) await runTool(['modprobe', 'nf_conntrack']).catch(() => {})
  if (!(await exists('/proc/sys/net/bridge')))
    throw new CloudError('unavailable', 'The kernel has no br_netfilter module, which security groups need.')
}

/** Whether a path is there. */
export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** The machine's first IPv4 address that others may reach. */
export const firstAddress = (): string =>
  Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'
