import { openEngine } from '../../machine/docker/engine.ts'
import { diskUsage } from '../../machine/docker/usage.ts'
import type { Care } from './index.ts'

const mib = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`

/** `berth engine disk`: what images take, and what each server has written beside its image. */
export async function disk({ socket, out }: Care): Promise<number> {
  const engine = openEngine(socket)
  try {
    const { LayersSize, Images, Containers } = await diskUsage(engine, AbortSignal.timeout(600_000))
    const idle = (Images ?? []).filter(({ Containers: users }) => users === 0)
    out(`layers of ${Images?.length ?? 0} images: ${mib(LayersSize)}`)
    out(
      `images that no container uses: ${idle.length} (berth engine prune removes them; a server that needs one pulls it again)`,
    )
    const written = (Containers ?? []).map(({ Names, SizeRw = 0, State }) => ({
      name: Names[0]?.slice(1) ?? '',
      SizeRw,
      State,
    }))
    out(`written by ${written.length} containers: ${mib(written.reduce((sum, { SizeRw }) => sum + SizeRw, 0))}`)
    for (const { name, SizeRw, State } of written.sort((a, b) => b.SizeRw - a.SizeRw).slice(0, 20)) {
      out(`  ${mib(SizeRw).padStart(12)}  ${State.padEnd(8)}  ${name}`)
    }
    return 0
  } finally {
    await engine.close()
  }
}
