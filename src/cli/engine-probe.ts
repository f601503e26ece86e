import { readFileSync } from 'node:fs'
import { pack } from 'tar-stream'
import * as containers from '../machine/docker/containers.ts'
import { openEngine } from '../machine/docker/engine.ts'
import * as images from '../machine/docker/images.ts'
import { CloudError, messageOf } from '../platform/errors.ts'
import { findProgram } from './tools.ts'

const name = 'berth-probe'

/** Runs one container to its end and removes it with its image. @throws CloudError with the engine's own reason. */
export async function probeEngine(socket: string): Promise<void> {
  const busybox = findProgram('busybox')
  if (!busybox) throw new CloudError('unavailable', 'busybox is missing; as root, run: apt-get install busybox-static')
  const archive = pack()
  archive.entry({ name: 'busybox', mode: 0o755 }, readFileSync(busybox))
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)

  const engine = openEngine(socket)
  const signal = AbortSignal.timeout(30_000)
  try {
    await containers.remove(engine, name, signal) // of a start that was cut off
    const image = await images.importTar(engine, Buffer.concat(chunks), { signal })
    try {
      const wanted = { Image: image, Cmd: ['/busybox', 'true'], HostConfig: { NetworkMode: 'none' } }
      const id = await containers.create(engine, name, wanted, signal)
      await containers.start(engine, id, signal)
      const code = await containers.wait(engine, id, 'not-running', signal)
      if (code !== 0) throw new CloudError('unavailable', `its first process ended with code ${code}`)
    } finally {
      await containers.remove(engine, name, AbortSignal.timeout(10_000))
      await images.remove(engine, image, AbortSignal.timeout(10_000))
    }
  } catch (error) {
    throw new CloudError('unavailable', `the engine cannot run a container: ${messageOf(error)}`, { cause: error })
  } finally {
    await engine.close()
  }
}
