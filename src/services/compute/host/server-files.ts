import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What must outlive the process about a server, and stands nowhere else on this machine. */
export interface Kept {
  /** Of the newest order seen. */
  generation: number
  /** The last one carried out. */
  bootEpoch: number
  /** A restart begun: for which epoch, and when the process to be ended had started. */
  reboot: { epoch: number; from: string | null } | null
}

/** One small JSON file a server, read once at start; without a directory, kept in memory only. */
export class ServerFiles {
  private readonly directory: string | null
  private readonly kept: Map<string, Kept>
  private constructor(directory: string | null, kept: Map<string, Kept>) {
    this.directory = directory
    this.kept = kept
  }

  /** A file that cannot be read is as good as none: the next order writes it anew. */
  static async open(directory: string | null): Promise<ServerFiles> {
    if (directory === null) return new ServerFiles(null, new Map())
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const kept = new Map<string, Kept>()
    for (const name of await readdir(directory)) {
      const path = join(directory, name)
      const value = name.endsWith('.json') ? parse(await readFile(path, 'utf8')) : null
      if (value) kept.set(name.slice(0, -'.json'.length), value)
      else await rm(path, { force: true, recursive: true })
    }
    return new ServerFiles(directory, kept)
  }

  get(serverId: string): Kept | undefined {
    return this.kept.get(serverId)
  }

  /** Whole or not at all, whatever happens to the process. */
  async set(serverId: string, kept: Kept): Promise<void> {
    const before = this.kept.get(serverId)
    const text = JSON.stringify(kept)
    if (before && JSON.stringify(before) === text) return
    const path = this.path(serverId)
    if (path !== null) {
      await writeFile(`${path}.new`, text, { mode: 0o600 })
      await rename(`${path}.new`, path)
    }
    this.kept.set(serverId, kept)
  }

  async remove(serverId: string): Promise<void> {
    this.kept.delete(serverId)
    const path = this.path(serverId)
    if (path !== null) await rm(path, { force: true })
  }

  private path(serverId: string): string | null {
    return this.directory === null ? null : join(this.directory, `${serverId}.json`)
  }
}

function parse(text: string): Kept | null {
  try {
    const { generation, bootEpoch, reboot = null } = JSON.parse(text) as Partial<Kept>
    return Number.isInteger(generation) && Number.isInteger(bootEpoch)
      ? { generation: generation!, bootEpoch: bootEpoch!, reboot }
      : null
  } catch {
    return null
  }
}
