import type { FastifyRequest } from 'fastify'
import { CloudError, type Kind } from '../../../platform/errors.ts'
import { statusOf } from '../../../platform/http/faults.ts'
import type { Service } from '../../../platform/service.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type Neighbour = Pick<Service, 'app' | 'name'>

export interface Question {
  method?: Method
  path: string
  query?: Readonly<Record<string, string | readonly string[]>>
  body?: unknown
  contentType?: string
}

/**
 * Asks another service's own API with the caller's token, without a socket between: its policy, its rules, its answer.
 * That is all that Compute's old proxies ever were. @throws CloudError of the answer's status, with its words
 */
export async function ask<T>(neighbour: Neighbour, request: FastifyRequest, question: Question): Promise<T> {
  const { method = 'GET', path, query, body, contentType = 'application/json' } = question
  if (!neighbour.app) throw new CloudError('unavailable', `The ${neighbour.name} service does not answer.`)
  const search = query ? `?${new URLSearchParams(pairsOf(query))}` : ''
  const answer = await neighbour.app.inject({
    method,
    url: path + search,
    headers: {
      'x-auth-token': String(request.headers['x-auth-token'] ?? ''),
      ...(body === undefined ? {} : { 'content-type': contentType }),
    },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  })
  if (answer.statusCode < 300) return (answer.body === '' ? undefined : JSON.parse(answer.body)) as T
  throw refusalOf(answer.statusCode, answer.body)
}

const pairsOf = (query: NonNullable<Question['query']>): [string, string][] =>
  Object.entries(query).flatMap(([key, value]) => [value].flat().map((one) => [key, one as string] as [string, string]))

const kinds = new Map<number, Kind>(
  (Object.entries(statusOf) as [Kind, number][])
    .filter(([kind]) => kind !== 'overQuota')
    .map(([kind, code]) => [code, kind]),
)

function refusalOf(status: number, body: string): CloudError {
  const kind = kinds.get(status) ?? 'internal'
  if (!body.startsWith('{')) return new CloudError(kind, textOf(body))
  const { NeutronError: said } = JSON.parse(body) as { NeutronError?: { type: string; message: string } }
  return said ? new CloudError(kind, said.message, { type: said.type }) : new CloudError(kind, body)
}

/** The last line of Image's page is what it has to say. */
function textOf(page: string): string {
  const plain = page
    .replace(/<[^>]*>/g, '\n')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  return (plain.at(-1) ?? '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
}

/** Another way to say what a neighbour said. */
export function otherwise(kind: Kind, message: string, when: (said: CloudError) => boolean) {
  return (thrown: unknown): never => {
    if (thrown instanceof CloudError && when(thrown)) throw new CloudError(kind, message, { cause: thrown })
    throw thrown
  }
}

export const absent = (said: CloudError): boolean => said.kind === 'notFound'
