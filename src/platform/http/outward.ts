import { lookup as resolve } from 'node:dns/promises'
import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import type { Readable } from 'node:stream'
import ipaddr from 'ipaddr.js'
import { CloudError, messageOf } from '../errors.ts'

/**
 * Which addresses of others may be fetched for a tenant. Where a list of what is allowed has entries, the one of what is not is
 * not read. Source: Glance configuration guide, "import_filtering_opts".
 */
export interface OutwardRules {
  readonly allowedSchemes: readonly string[]
  readonly disallowedSchemes: readonly string[]
  /** Whoever is named here may also be inside: that is how an operator opens a mirror of their own. */
  readonly allowedHosts: readonly string[]
  readonly disallowedHosts: readonly string[]
  readonly allowedPorts: readonly number[]
  readonly disallowedPorts: readonly number[]
}

/** As settings write them: words with commas between. */
export type OutwardSettings = Readonly<Record<keyof OutwardRules, string>>

const words = (text: string): string[] =>
  text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((word) => word !== '')

export const outwardRulesOf = (settings: OutwardSettings): OutwardRules => ({
  allowedSchemes: words(settings.allowedSchemes),
  disallowedSchemes: words(settings.disallowedSchemes),
  allowedHosts: words(settings.allowedHosts),
  disallowedHosts: words(settings.disallowedHosts),
  allowedPorts: words(settings.allowedPorts).map(Number),
  disallowedPorts: words(settings.disallowedPorts).map(Number),
})

export interface Fetched {
  body: Readable
  /** As the sender announced it. */
  length: number | null
}

const usualPorts: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }
const maxHops = 5
const answerMs = 30_000

/** What the rules say of a URL before anybody is asked for its address; null when it is no URL that they let pass. */
export function permitted(text: string, rules: OutwardRules): URL | null {
  if (text.length > 2048 || !URL.canParse(text)) return null
  const url = new URL(text)
  const passes = <T>(value: T, allowed: readonly T[], refused: readonly T[]) =>
    allowed.length > 0 ? allowed.includes(value) : !refused.includes(value)
  const port = url.port === '' ? (usualPorts[url.protocol] ?? 0) : Number(url.port)
  if (usualPorts[url.protocol] === undefined || url.hostname === '') return null
  if (!passes(url.protocol.slice(0, -1), rules.allowedSchemes, rules.disallowedSchemes)) return null
  if (!passes(hostOf(url), rules.allowedHosts, rules.disallowedHosts)) return null
  if (!passes(port, rules.allowedPorts, rules.disallowedPorts)) return null
  return isIP(hostOf(url)) && !isNamed(url, rules) && isInternal(hostOf(url)) ? null : url
}

/** Without the brackets of IPv6, and without the dot that ends a full name. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
const isNamed = (url: URL, { allowedHosts }: OutwardRules): boolean => allowedHosts.includes(hostOf(url))

/**
 * Gets what stands at `text`. Every hop of a redirect is judged anew, its name is resolved once, and the connection goes to
 * the address that was judged: a name that changes its mind gains nothing. @throws CloudError `badRequest`
 */
export async function fetchOutward(text: string, rules: OutwardRules, signal: AbortSignal): Promise<Fetched> {
  let next = text
  for (let hop = 0; hop <= maxHops; hop++) {
    const url = permitted(next, rules)
    if (!url) throw new CloudError('badRequest', 'The URI does not pass filtering.')
    const answer = await ask(url, rules, signal)
    if ('body' in answer) return answer
    next = new URL(answer.location, url).href
  }
  throw new CloudError('badRequest', `The URI redirects more than ${maxHops} times.`)
}

async function ask(url: URL, rules: OutwardRules, signal: AbortSignal): Promise<Fetched | { location: string }> {
  const addresses = await addressesOf(url, rules)
  const settled = Promise.withResolvers<Fetched | { location: string }>()
  const refuse = (why: string, cause?: unknown) =>
    settled.reject(new CloudError('badRequest', `The URI could not be fetched: ${why}`, { cause }))
  const request = url.protocol === 'https:' ? requestTls : requestPlain
  const lookup: LookupFunction = (_host, options, done) => {
    const [first] = addresses
    if (options.all) done(null, addresses)
    else done(null, first?.address ?? '', first?.family ?? 4)
  }
  const asked = request(url, { lookup, signal, agent: false, headers: { accept: '*/*', 'user-agent': 'berth' } })
  const patience = setTimeout(() => asked.destroy(new Error(`no answer within ${answerMs / 1000} s`)), answerMs)
  asked.once('error', (error) => refuse(messageOf(error), error))
  asked.once('response', (response) => {
    clearTimeout(patience)
    const { statusCode = 0, headers } = response
    if (statusCode >= 300 && statusCode < 400 && headers.location) {
      response.resume().destroy()
      settled.resolve({ location: headers.location })
    } else if (statusCode !== 200) {
      response.resume().destroy()
      refuse(`it answers ${statusCode}`)
    } else {
      const length = Number(headers['content-length'] ?? Number.NaN)
      settled.resolve({ body: response, length: Number.isSafeInteger(length) ? length : null })
    }
  })
  asked.end()
  try {
    return await settled.promise
  } finally {
    clearTimeout(patience)
  }
}

async function addressesOf(url: URL, rules: OutwardRules): Promise<{ address: string; family: number }[]> {
  const host = hostOf(url)
  const found = isIP(host)
    ? [{ address: host, family: isIP(host) }]
    : await resolve(host, { all: true }).catch((error: unknown) => {
        throw new CloudError('badRequest', `The URI could not be fetched: ${host} is not known.`, { cause: error })
      })
  if (!isNamed(url, rules) && found.some(({ address }) => isInternal(address)))
    throw new CloudError('badRequest', 'The URI does not pass filtering.')
  return found
}

/** Ranges of IPv4 that no public host has, of which the cloud's own networks may be. Source: RFC 6890 and its registry. */
const inside = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
].map((range) => ipaddr.IPv4.parseCIDR(range))

const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3')
const translated = ['::ffff:0:0/96', '64:ff9b::/96'].map((range) => ipaddr.IPv6.parseCIDR(range))
/** Teredo, 6to4 and what stands for others: an IPv4 address may be in them that nobody judges. */
const tunnels = ['2001::/23', '2002::/16'].map((range) => ipaddr.IPv6.parseCIDR(range))

/** Loopback, link-local (where metadata is), private, shared and benchmarking ranges, and whatever hides one of them. */
export function isInternal(address: string): boolean {
  const parsed = ipaddr.parse(address.split('%')[0] ?? '')
  if (parsed instanceof ipaddr.IPv4) return inside.some((range) => parsed.match(range))
  if (translated.some((range) => parsed.match(range)))
    return isInternal(ipaddr.fromByteArray(parsed.toByteArray().slice(12)).toString())
  return !parsed.match(globalUnicast) || tunnels.some((range) => parsed.match(range))
}
