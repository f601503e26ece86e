import { CloudError } from '../../platform/errors.ts'
import { mustRun, runTool } from './command.ts'
import { inNamespace } from './namespaces.ts'

/** Runs many `tc` commands in one process. Source: tc(8), "-batch". @throws CloudError with `tc`'s words */
export async function tcBatch(namespace: string, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return
  const { code, stderr } = await runTool(inNamespace(namespace, ['tc', '-batch', '-']), `${lines.join('\n')}\n`)
  if (code !== 0) throw new CloudError('internal', `tc: ${stderr.trim() || `status ${code}`}`)
}

/** The links of a namespace that have a token bucket filter. */
export async function listShaped(namespace: string): Promise<Set<string>> {
  const text = await mustRun(inNamespace(namespace, ['tc', '-json', 'qdisc', 'show']))
  const found = JSON.parse(text.trim() || '[]') as { kind?: string; dev?: string }[]
  return new Set(found.flatMap(({ kind, dev }) => (kind === 'tbf' && dev ? [dev] : [])))
}
