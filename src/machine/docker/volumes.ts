import type { Engine } from './engine.ts'

/** Source for the whole file: Docker Engine API reference, "Volume". */
export interface NewVolume {
  Name: string
  Driver?: string
  DriverOpts?: Readonly<Record<string, string>>
  Labels?: Readonly<Record<string, string>>
}

/** One of the same name and options that is there already is no failure. */
export async function create(engine: Engine, volume: NewVolume, signal: AbortSignal): Promise<void> {
  await (await engine.call('POST', '/volumes/create', { body: volume, signal })).body.dump()
}

/** One that is absent already is no failure. @throws CloudError `conflict` while a container has it */
export async function remove(engine: Engine, name: string, signal: AbortSignal): Promise<void> {
  await engine.send('DELETE', `/volumes/${encodeURIComponent(name)}`, { signal, accept: [404] })
}
