import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import type { ServerOrder } from '../messages.ts'

type Drive = NonNullable<ServerOrder['configDrive']>

/** Where programs in a server look: people and glean for the one, cloud-init, without a disk to find, for the other. */
export const mountPoints = ['/mnt/config', '/var/lib/cloud/seed/config_drive'] as const

/** The config drives of this machine's servers: folders that are mounted into their containers, read-only. */
export class ConfigDrives {
  private readonly directory: string
  constructor(directory: string) {
    this.directory = directory
  }

  /** Writes a server's, whole or not at all, in place of an older one. Returns its folder. */
  async write(serverId: string, { contents, files }: Drive): Promise<string> {
    const path = join(this.directory, serverId)
    const fresh = `${path}.new`
    await rm(fresh, { recursive: true, force: true })
    for (const [name, i] of files) {
      const file = join(fresh, normalize(`/${name}`))
      await mkdir(dirname(file), { recursive: true })
      // Nobody's secret inside the container; who may not enter the state directory does not get here.
      await writeFile(file, Buffer.from(contents[i] ?? '', 'base64'), { mode: 0o644 })
    }
    await mkdir(fresh, { recursive: true })
    await readable(fresh)
    await rm(path, { recursive: true, force: true })
    await rename(fresh, path)
    return path
  }

  /** Repeatable. */
  async remove(serverId: string): Promise<void> {
    await rm(join(this.directory, serverId), { recursive: true, force: true })
  }
}

/** Root in a container may be nobody out here, so its folders are open to all, whatever the umask. */
async function readable(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644)
  }
}
