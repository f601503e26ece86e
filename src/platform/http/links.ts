import type { FastifyRequest } from 'fastify'

/** `http://host:port`: where the client reached us, by its own Host header, so that links work through any address. */
export function baseUrl(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}`
}

/** The request's own URL (path and query) with some query parameters set, or removed where null. */
export function withQuery(request: FastifyRequest, changes: Record<string, string | number | null>): string {
  const url = new URL(request.url, 'http://x')
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) url.searchParams.delete(key)
    else url.searchParams.set(key, String(value))
  }
  return `${url.pathname}${url.search}`
}

/** `[{rel: 'next', href}]` when there is a further page after `marker`, as Nova and Neutron link. */
export function nextLinks(request: FastifyRequest, marker: string | undefined): { rel: 'next'; href: string }[] {
  return marker === undefined ? [] : [{ rel: 'next', href: baseUrl(request) + withQuery(request, { marker }) }]
}
