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

/** The names of those that carry this label (`name=value`). */
export async function list(engine: Engine, label: string, signal: AbortSignal): Promise<string[]> {
  const query = { filters: JSON.stringify({ label: [label] }) }
  const { Volumes } = await engine.json<{ Volumes: { Name: string }[] | null }>('GET', '/volumes', { query, signal })
  return (Volumes ?? []).map(({ Name }) => Name)
}

/** One that is absent already is no failure. @throws CloudError `conflict` while a container has it */
export async function remove(engine: Engine, name: string, signal: AbortSignal): Promise<void> {
  await engine.send('DELETE', `/volumes/${encodeURIComponent(name)}`, { signal, accept: [404] })
}
