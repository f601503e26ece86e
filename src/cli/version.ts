import { readFileSync } from 'node:fs'
import type { Call } from './call.ts'

/** The version in `package.json`. */
export function versionOfBerth(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** `berth version`. */
export async function run({ out }: Call): Promise<number> {
  out(`berth ${versionOfBerth()} (Node ${process.versions.node})`)
  return 0
}
