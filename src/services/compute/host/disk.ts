import { readFile, statfs } from 'node:fs/promises'
import type { Info } from '../../../machine/docker/system.ts'

/** Of the file system that holds the engine's data. */
export async function diskSpace(path: string): Promise<{ diskGiB: number; diskFreeGiB: number }> {
  const { blocks, bavail, bsize } = await statfs(path)
  const gib = (count: number) => Math.floor((count * bsize) / 1024 ** 3)
  return { diskGiB: gib(blocks), diskFreeGiB: gib(bavail) }
}

/**
 * Whether the engine can bound a container's own layer: overlay2 on XFS that is mounted with project quotas. Elsewhere it
 * refuses the option. Source: Docker docs, "dockerd", storage driver options, `overlay2.size`.
 */
export async function diskQuota({ Driver, DriverStatus, DockerRootDir }: Info): Promise<boolean> {
  const backing = DriverStatus?.find(([name]) => name === 'Backing Filesystem')?.[1]
  if (Driver !== 'overlay2' || backing !== 'xfs') return false
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8')
  return mountedWithQuota(mountinfo, DockerRootDir)
}

/** Source: proc(5), /proc/pid/mountinfo: the mount point is field 5; the super block's options come last. */
export function mountedWithQuota(mountinfo: string, path: string): boolean {
  const mounts = mountinfo.split('\n').map((line) => ({
    point: line.split(' ')[4] ?? '',
    options: line.split(' ').at(-1)?.split(',') ?? [],
  }))
  const holds = (point: string) =>
    point !== '' && (path === point || path.startsWith(point === '/' ? '/' : `${point}/`))
  const [mount] = mounts.filter(({ point }) => holds(point)).sort((a, b) => b.point.length - a.point.length)
  return mount?.options.some((option) => option === 'prjquota' || option === 'pquota') ?? false
}
