import { statfs } from 'node:fs/promises'
import * as containers from '../../machine/docker/containers.ts'
import { openEngine } from '../../machine/docker/engine.ts'
import { info, version } from '../../machine/docker/system.ts'
import type { Care } from './index.ts'

export const gib = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(1)} GiB`

/** `berth engine show`: what it is, where its data is, and what that can do. */
export async function show({ socket, own, cloudId, out }: Care): Promise<number> {
  const engine = openEngine(socket)
  const signal = AbortSignal.timeout(20_000)
  try {
    const [about, facts, api] = await Promise.all([
      version(engine, signal),
      info(engine, signal),
      engine.apiVersion(signal),
    ])
    const found = await containers.list(engine, [`io.berth.cloud=${cloudId}`], signal)
    const folder = own?.kept ?? facts.DockerRootDir
    const { bavail, blocks, bsize } = await statfs(folder)
    const mapped = facts.SecurityOptions?.some((option) => option.startsWith('name=userns')) ?? false
    const lines: [string, string][] = [
      [
        'engine',
        `Docker ${about.Version}, API ${api}, ${own ? 'our own' : "not ours: its data and settings are its owner's"}`,
      ],
      ['socket', socket],
      ['data root', own ? `${folder} (bound to ${own.data})` : folder],
      ['disk', `${gib(bavail * bsize)} free of ${gib(blocks * bsize)}`],
      [
        'storage driver',
        [facts.Driver, facts.DriverStatus?.find(([key]) => key === 'Backing Filesystem')?.[1]]
          .filter(Boolean)
          .join(' on '),
      ],
      ['user namespaces', mapped ? 'on: root in a server is nobody on this machine' : 'off'],
      ['control groups', `version ${facts.CgroupVersion ?? '1'}`],
      ['servers', `${found.length}, ${found.filter(({ State }) => State === 'running').length} of them run`],
      ['images', String(facts.Images)],
    ]
    for (const [name, value] of lines) out(`${name.padEnd(16)} ${value}`)
    return 0
  } finally {
    await engine.close()
  }
}
