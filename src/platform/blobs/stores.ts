import { CloudError } from '../errors.ts'
import { newHexId } from '../ids.ts'
import type { BlobStore, StoreInfo } from './blobs.ts'
import { localStore } from './file-store.ts'

/** A store beside the local one, its keys without the store's name. */
export interface NamedStore {
  info: StoreInfo
  blobs: Pick<BlobStore, 'put' | 'open' | 'reader' | 'size' | 'remove' | 'list'>
}

/**
 * Several stores as one: a key tells by its end (`…:<store>`) where its bytes are; without one they are on this machine. So
 * rows need no column for it, and what is stored stays readable when another store becomes the first.
 */
export function joinStores(local: BlobStore, others: readonly NamedStore[], first: string): BlobStore {
  const all = new Map([[localStore, local], ...others.map(({ info, blobs }) => [info.id, blobs] as const)])
  const infos = [...local.stores, ...others.map(({ info }) => info)]
  const stores = [...infos.filter(({ id }) => id === first), ...infos.filter(({ id }) => id !== first)]
  if (stores[0]?.id !== first) throw new CloudError('badRequest', `There is no store ${first}.`)
  const storeOf = (key: string): string => (key.includes(':') ? key.slice(key.lastIndexOf(':') + 1) : localStore)
  const at = (key: string) => {
    const store = all.get(storeOf(key))
    if (!store) throw new CloudError('unavailable', `The store ${storeOf(key)} is not set up here any more.`)
    return { store, key: storeOf(key) === localStore ? key : key.slice(0, key.lastIndexOf(':')) }
  }
  const newKey = (prefix: string, store = first) => `${prefix}${newHexId()}${store === localStore ? '' : `:${store}`}`
  return {
    stores,
    storeOf,
    newKey,
    async put(source, options = {}) {
      const whole = options.key ?? newKey('')
      const { store, key } = at(whole)
      return { ...(await store.put(source, { ...options, key })), key: whole }
    },
    open: (key, range) => at(key).store.open(at(key).key, range),
    reader: (key) => at(key).store.reader(at(key).key),
    size: (key) => at(key).store.size(at(key).key),
    remove: (key) => at(key).store.remove(at(key).key),
    async *list() {
      for (const [id, store] of all) {
        for await (const { key, ageMs } of store.list()) yield { key: id === localStore ? key : `${key}:${id}`, ageMs }
      }
    },
  }
}
