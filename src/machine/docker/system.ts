import type { Engine, EngineVersion } from './engine.ts'
import { readingBody } from './engine.ts'

/** The parts of `GET /info` that are used. Source: Docker Engine API reference, "System". */
export interface Info {
  ID: string
  NCPU: number
  /** As the kernel says it: `x86_64`. */
  Architecture: string
  MemTotal: number
  Driver: string
  DriverStatus: readonly (readonly [string, string])[] | null
  DockerRootDir: string
  ServerVersion: string
  SecurityOptions: readonly string[] | null
  CgroupVersion?: string
  SwapLimit: boolean
  PidsLimit: boolean
  Images: number
}

/** Whether the engine answers at all; the cheapest call there is. @throws CloudError `unavailable` */
export async function ping(engine: Engine, signal: AbortSignal): Promise<void> {
  const { body } = await engine.plain('GET', '/_ping', signal)
  await readingBody(() => body.dump(), signal, engine.socketPath)
}

export async function version(engine: Engine, signal: AbortSignal): Promise<EngineVersion> {
  const { body } = await engine.plain('GET', '/version', signal)
  return readingBody(() => body.json() as Promise<EngineVersion>, signal, engine.socketPath)
}

export const info = (engine: Engine, signal: AbortSignal): Promise<Info> => engine.json('GET', '/info', { signal })
