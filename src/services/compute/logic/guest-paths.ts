import type { Guest } from './guest.ts'
import {
  contentName,
  type Ec2Tree,
  ec2Tree,
  ec2Versions,
  openstackFiles,
  openstackVersions,
} from './guest-documents.ts'

export interface Found {
  type: 'text/plain' | 'application/json'
  body: string | Buffer
}

const plain = (body: string | Buffer): Found => ({ type: 'text/plain', body })
const list = (names: readonly string[]): Found => plain(names.join('\n'))

/** What every server may read without being known. */
export const root: Found = list([...ec2Versions, 'latest'])

/** What a server finds under a path of the metadata service; null: nothing. Repeated and trailing slashes do not count. */
export function lookUp(guest: Guest, path: string): Found | null {
  const [first, ...rest] = path.split('/').filter((part) => part !== '')
  if (first === undefined) return root
  if (first !== 'openstack') return first === 'ec2' ? ec2Item(guest, rest) : ec2Item(guest, [first, ...rest])
  return openstackItem(guest, rest)
}

function openstackItem(guest: Guest, [version, ...rest]: readonly string[]): Found | null {
  if (version === undefined) return list([...openstackVersions, 'latest'])
  if (version === 'content') return rest.length === 1 ? content(guest, rest[0]!) : null
  const at = version === 'latest' ? openstackVersions.at(-1)! : version
  if (!openstackVersions.includes(at as never)) return null
  const there = Object.entries(openstackFiles).filter(([, { since }]) => since <= at)
  if (rest.length === 0) {
    return list(there.flatMap(([name]) => (name === 'user_data' && guest.userData === null ? [] : [name])))
  }
  const file = there.find(([name]) => name === rest.join('/'))?.[1]
  const body = file?.make(guest, at)
  if (!file || body === null || body === undefined) return null
  return { type: file.json ? 'application/json' : 'text/plain', body }
}

function content({ files }: Guest, name: string): Found | null {
  const file = files.find((_, i) => contentName(i) === name)
  return file ? plain(Buffer.from(file.contents, 'base64')) : null
}

function ec2Item(guest: Guest, [version, ...rest]: readonly string[]): Found | null {
  if (version === undefined) return root
  const at = version === 'latest' ? ec2Versions.at(-1)! : version
  if (!ec2Versions.includes(at as never)) return null
  let item: Ec2Tree[string] | Buffer | undefined = { ...ec2Tree(guest, at) } as Record<string, unknown> as Ec2Tree
  for (const part of rest) {
    if (!isTree(item)) return null
    // `0=mykey` is listed so, and reached as `0`.
    const tree: Ec2Tree = item
    const name = Object.keys(tree).find((key) => key === part || (key.includes('=') && key.split('=')[0] === part))
    item = name === undefined ? undefined : tree[name]
    if (item === undefined) return null
  }
  if (typeof item === 'string' || Buffer.isBuffer(item)) return plain(item)
  return isTree(item)
    ? list(
        Object.keys(item)
          .sort()
          .map((name) => shown(name, item as Ec2Tree)),
      )
    : list(item)
}

const isTree = (item: unknown): item is Ec2Tree =>
  typeof item === 'object' && item !== null && !Array.isArray(item) && !Buffer.isBuffer(item)

const shown = (name: string, tree: Ec2Tree): string => (isTree(tree[name]) && !name.includes('=') ? `${name}/` : name)
