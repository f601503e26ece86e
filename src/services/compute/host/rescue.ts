import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as containers from '../../../machine/docker/containers.ts'
import type { Engine } from '../../../machine/docker/engine.ts'
import * as volumes from '../../../machine/docker/volumes.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import type { ServerOrder } from '../messages.ts'
import { cloudLabel, containerName, serverLabel } from './container-spec.ts'

/** A rescue's container, and the volume that shows it the server's own files. */
export const rescueName = (serverId: string): string => `${containerName(serverId)}-rescue`
const volumeName = rescueName

/** Where a rescue finds the server's own root file system. */
const place = '/mnt'

/** What a rescue's container is ordered as: the server, from another image. */
export const rescueOrder = (order: ServerOrder, rescue: NonNullable<ServerOrder['rescue']>): ServerOrder => ({
  ...order,
  ...{ image: rescue.image, command: rescue.command, rescue: null },
})

/**
 * The server's root file system as a volume: the Engine itself mounts it while the rescue's container runs, and lets it
 * go when that ends, over a restart of the machine too. Never while the server's own container runs: two mounts of one
 * upper layer are undefined (kernel, "Overlay Filesystem"). Gives the bind for it. Repeatable.
 */
export async function ensureVolume(
  engine: Engine,
  cloudId: string,
  serverId: string,
  { GraphDriver }: containers.Container,
  signal: AbortSignal,
): Promise<string> {
  const { UpperDir: upper, WorkDir: work, LowerDir: lower } = GraphDriver?.Data ?? {}
  if (GraphDriver?.Name !== 'overlay2' || !upper || !work || !lower) {
    const text = `The storage driver ${GraphDriver?.Name} cannot show a server's files to its rescue; overlay2 can.`
    throw new CloudError('conflict', text)
  }
  const Name = volumeName(serverId)
  const o = `lowerdir=${await shortened(upper, lower)},upperdir=${upper},workdir=${work}`
  const Labels = { [cloudLabel]: cloudId, [serverLabel]: serverId }
  await volumes.create(
    engine,
    { Name, Driver: 'local', DriverOpts: { type: 'overlay', device: 'overlay', o }, Labels },
    signal,
  )
  return `${Name}:${place}:nocopy`
}

/** Takes away the rescue's container, if there is one, and what it was given. Repeatable. */
export async function removeRescue(
  engine: Engine,
  serverId: string,
  containerId: string | null,
  changing: () => AbortSignal,
): Promise<void> {
  if (containerId !== null) await containers.remove(engine, containerId, changing())
  faultPoint('compute.rescue.ended')
  await volumes.remove(engine, volumeName(serverId), changing())
}

/**
 * A mount's options must fit into a page, which the long names of some thirty layers fill. The driver has short links to
 * them, and keeps their list beside the upper layer.
 */
async function shortened(upper: string, lower: string): Promise<string> {
  const folder = dirname(upper)
  try {
    const links = (await readFile(`${folder}/lower`, 'utf8')).trim().split(':')
    return links.map((link) => `${dirname(folder)}/${link}`).join(':')
  } catch {
    return lower // the Engine's files are not ours to read
  }
}
