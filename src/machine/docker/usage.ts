import type { Engine } from './engine.ts'

/** The parts of `GET /system/df` that are used. Source: Docker Engine API reference, "Get data usage information". */
export interface DiskUsage {
  LayersSize: number
  Images:
    | { Id: string; RepoTags: string[] | null; RepoDigests: string[] | null; Size: number; Containers: number }[]
    | null
  Containers: { Id: string; Names: string[]; SizeRw?: number; State: string; ImageID: string }[] | null
}

export const diskUsage = (engine: Engine, signal: AbortSignal): Promise<DiskUsage> =>
  engine.json('GET', '/system/df', { signal })
