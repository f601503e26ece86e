import { mustRun, runTool } from './command.ts'
import { inNamespace } from './namespaces.ts'

/** Applies a script as one transaction: all of it or nothing. Source: nft(8), "-f". */
export async function applyNft(namespace: string | null, script: string): Promise<void> {
  const argv = ['nft', '-f', '-']
  await mustRun(namespace === null ? argv : inNamespace(namespace, argv), script)
}

/** `inet berth_x` and the like, of a namespace; null is our own. */
export async function listTables(namespace: string | null): Promise<string[]> {
  const argv = ['nft', 'list', 'tables']
  const { stdout } = await runTool(namespace === null ? argv : inNamespace(namespace, argv))
  return stdout.split('\n').flatMap((line) => (line.startsWith('table ') ? [line.slice('table '.length)] : []))
}

/** A part of a rule set that comes and goes as a whole. Names are full: `inet berth web`. */
export interface Fragment {
  /** `set { type ipv4_addr; }`, by name. */
  sets?: Readonly<Record<string, string>>
  /** Rules, by chain. Only chains that others jump to: base chains belong to the table itself. */
  chains?: Readonly<Record<string, readonly string[]>>
  /** `key` or `key : value`, by set or map. No two fragments may own the same key. */
  elements?: Readonly<Record<string, readonly string[]>>
}

/** The commands that lead from one rule set to another, fit for one transaction. A fragment that is the same object is not looked at. */
export function nftChanges(before: ReadonlyMap<string, Fragment>, after: ReadonlyMap<string, Fragment>): string[] {
  const declare: string[] = []
  const addRules: string[] = []
  const remove: string[] = []
  const gone = new Map<string, string[]>()
  const fresh = new Map<string, string[]>()

  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [old = {}, now = {}] = [before.get(key), after.get(key)]
    if (old === now) continue
    for (const [name, spec] of Object.entries(now.sets ?? {}))
      if (!old.sets?.[name]) declare.push(`add ${spec.replace(' ', ` ${name} `)}`)
    for (const [name, rules] of Object.entries(now.chains ?? {})) {
      const had = old.chains?.[name]
      if (had && had.length === rules.length && had.every((rule, i) => rule === rules[i])) continue
      declare.push(`${had ? 'flush' : 'add'} chain ${name}`)
      for (const rule of rules) addRules.push(`add rule ${name} ${rule}`)
    }
    collectMissing(old.elements, now.elements, gone)
    collectMissing(now.elements, old.elements, fresh)
    for (const name of Object.keys(old.chains ?? {}))
      if (!now.chains?.[name]) {
        declare.push(`flush chain ${name}`) // what it jumps to may go in the same breath
        remove.push(`delete chain ${name}`)
      }
    for (const name of Object.keys(old.sets ?? {}))
      if (!now.sets?.[name]) {
        remove.push(`delete set ${name}`)
        gone.delete(name) // a set takes its elements with it
      }
  }
  const keyOf = (element: string) => element.split(' : ')[0]
  const deletions = [...gone].map(([name, all]) => `delete element ${name} { ${all.map(keyOf).join(', ')} }`)
  const additions = [...fresh].map(([name, all]) => `add element ${name} { ${all.join(', ')} }`)
  return [...declare, ...deletions, ...addRules, ...additions, ...remove]
}

/** Adds to `missing` what `from` has and `other` has not. */
function collectMissing(from: Fragment['elements'], other: Fragment['elements'], missing: Map<string, string[]>): void {
  for (const [name, elements] of Object.entries(from ?? {})) {
    const known = new Set(other?.[name])
    const lost = elements.filter((element) => !known.has(element))
    if (lost.length > 0) missing.set(name, [...(missing.get(name) ?? []), ...lost])
  }
}
