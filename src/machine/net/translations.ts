import { mustRun } from './command.ts'
import { type Flow, parseFlow } from './flows.ts'
import { inNamespace } from './namespaces.ts'

/** A flow with the addresses of its answers, which tell how it was translated. */
export interface TranslatedFlow {
  flow: Flow
  /** Who answers: not `flow.destination` when that was translated. */
  answerer: string
  /** Whom the answer goes to: not `flow.source` when that was translated. */
  answeredTo: string
}

/** The IPv4 flows of a namespace of which an address was translated. Source: conntrack(8), "-L". */
export async function listTranslations(namespace: string): Promise<TranslatedFlow[]> {
  const text = await mustRun(inNamespace(namespace, ['conntrack', '-L', '-f', 'ipv4']))
  return text.split('\n').flatMap((line) => {
    const flow = parseFlow(line)
    const [, answerer] = [...line.matchAll(/\ssrc=(\S+)/g)].map((match) => match[1])
    const [, answeredTo] = [...line.matchAll(/\sdst=(\S+)/g)].map((match) => match[1])
    if (!flow || !answerer || !answeredTo) return []
    const translated = answerer !== flow.destination || answeredTo !== flow.source
    return translated ? [{ flow, answerer, answeredTo }] : []
  })
}
