import { readFile } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { CloudError, messageOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { BlobStore } from './blobs.ts'
import { localStore, openFileBlobs } from './file-store.ts'
import { driverOf, type Flavour, readFlavours, usualFlavours } from './flavours.ts'
import { objectBlobs } from './objects.ts'
import { joinStores, type NamedStore } from './stores.ts'

export interface Storage {
  /** Where new data goes. */
  flavor: string
  /** A file in docker-registry's form; empty for the usual flavours. */
  configFile: string
  /** Further flavours, which images may be put into. */
  alsoStores: readonly string[]
}

/**
 * Opens the local store and the flavours that are asked for. Each is tried at once: a wrong password is told at the start, by the
 * setting's name, and not at the first push.
 */
export async function openStores(
  stateDir: string,
  { flavor, configFile, alsoStores }: Storage,
  env: Readonly<Record<string, string | undefined>>,
  log: Logger,
): Promise<BlobStore> {
  const local = await openFileBlobs(join(stateDir, 'blobs'), log)
  const wanted = [...new Set([flavor, ...alsoStores])].filter((name) => name !== localStore)
  if (wanted.length === 0) return local
  const flavours = readFlavours(await textOf(stateDir, configFile), env, configFile || undefined)
  const others: NamedStore[] = []
  let first = localStore
  for (const name of wanted) {
    const flavour = flavours.get(name)
    const names = [localStore, ...flavours.keys()].join(', ')
    if (!flavour) throw new CloudError('badRequest', `There is no storage flavour ${name}; there are ${names}.`)
    const store = await opened(name, flavour, env, log)
    if (store) others.push(store)
    if (name === flavor && store) first = name
  }
  return joinStores(local, others, first)
}

async function opened(
  name: string,
  flavour: Flavour,
  env: Readonly<Record<string, string | undefined>>,
  log: Logger,
): Promise<NamedStore | null> {
  if (!/^[a-z][a-z0-9-]{0,40}$/.test(name))
    throw new CloudError('badRequest', `The storage flavour ${name} must be lower-case letters, digits and dashes.`)
  const driver = driverOf(name, flavour, env)
  if (!driver) {
    const dir = flavour.storage_path
    if (typeof dir !== 'string' || dir === '') return null // the local store by another name
    const blobs = await openFileBlobs(resolve(dir), log)
    const [info] = blobs.stores
    return info ? { info: { ...info, id: name, description: `the directory ${dir}` }, blobs } : null
  }
  try {
    await driver.prepare()
  } catch (thrown) {
    throw new CloudError('unavailable', `The storage flavour ${name} cannot be used: ${messageOf(thrown)}`, {
      cause: thrown,
    })
  }
  const { type, properties } = driver
  return {
    info: { id: name, type, description: `storage flavour ${name}`, properties },
    blobs: objectBlobs(driver, log),
  }
}

async function textOf(stateDir: string, file: string): Promise<string> {
  if (file === '') return usualFlavours
  const path = isAbsolute(file) ? file : join(stateDir, file)
  return readFile(path, 'utf8').catch((thrown: unknown) => {
    throw new CloudError('badRequest', `cannot read ${path}: ${messageOf(thrown)}`, { cause: thrown })
  })
}
