import { Type } from 'typebox'
import { CloudError } from '../errors.ts'
import { fits } from '../http/validation.ts'
import { call } from './object-http.ts'
import { Refusal } from './objects.ts'

export interface OpenStackAccount {
  authUrl: string
  /** Of the log-in: `1` TempAuth and its like, `2` Keystone of before 2014, `3`. */
  version: '1' | '2' | '3'
  user: string
  password: string
  project: string
  region: string
  userDomain: string
  projectDomain: string
  /** In place of a user's name and password. */
  applicationCredential: { id: string; secret: string } | null
}

export interface Session {
  /** Calls below the service's URL, with a token; with a new one, once, where the old one is not taken any more. */
  request(...[method, path, more]: Asked): ReturnType<typeof call>
  /** Calls by a path beside the service's own (`/info`). */
  beside(path: string): Promise<string>
}

type Asked = [Parameters<typeof call>[0], string, Parameters<typeof call>[2]?]
interface Found {
  token: string
  url: string
}

/** As the URL of the log-in tells; Keystone v3 where it does not. */
export function versionOf(authUrl: string): '1' | '2' | '3' {
  if (/\/v1(\.0)?\/?$/.test(authUrl)) return '1'
  return /\/v2\.0\/?$/.test(authUrl) ? '2' : '3'
}

/** Logs in when first asked. `type` is the service's in the catalog. */
export function openSession(account: OpenStackAccount, type: string): Session {
  let current: Promise<Found> | null = null
  const enter = () => {
    current ??= logIn(account, type).catch((thrown: unknown) => {
      current = null
      throw thrown
    })
    return current
  }
  return {
    async request(method, path, more = {}) {
      const once = async () => {
        const { token, url } = await enter()
        return call(method, `${url}${path}`, { ...more, headers: { 'x-auth-token': token, ...more.headers } })
      }
      try {
        return await once()
      } catch (thrown) {
        const mayRepeat = more.body === undefined || typeof more.body === 'string' || Buffer.isBuffer(more.body)
        if (!(thrown instanceof Refusal) || thrown.status !== 401 || !mayRepeat) throw thrown
        current = null
        return once()
      }
    },
    async beside(path) {
      const { url } = await enter()
      return (await call('GET', new URL(path, url).href)).body.text()
    },
  }
}

/** Sources: Swift, "TempAuth"; Identity API v2.0 and v3 references, "Authenticate". */
async function logIn(account: OpenStackAccount, type: string): Promise<Found> {
  const base = account.authUrl.replace(/\/$/, '')
  if (account.version === '1') {
    const user = account.project && !account.user.includes(':') ? `${account.project}:${account.user}` : account.user
    const headers = { 'x-auth-user': user, 'x-auth-key': account.password }
    const answer = await call('GET', base, { headers })
    await answer.body.dump()
    return { token: answer.headers['x-auth-token'] ?? '', url: answer.headers['x-storage-url'] ?? '' }
  }
  const headers = { 'content-type': 'application/json' }
  if (account.version === '2') {
    const passwordCredentials = { username: account.user, password: account.password }
    const body = JSON.stringify({ auth: { tenantName: account.project, passwordCredentials } })
    const said: unknown = await (await call('POST', `${base}/tokens`, { headers, body })).body.json()
    if (!fits(Access2, said)) throw unreadable()
    const urls = said.access.serviceCatalog.filter((service) => service.type === type).flatMap((one) => one.endpoints)
    const found = urls.find(({ region }) => account.region === '' || region === account.region)
    if (!found) throw noEndpoint(type, account.region)
    return { token: said.access.token.id, url: found.publicURL.replace(/\/$/, '') }
  }
  const own = account.applicationCredential
  const user = { name: account.user, domain: { name: account.userDomain }, password: account.password }
  const auth = own
    ? { identity: { methods: ['application_credential'], application_credential: own } }
    : {
        identity: { methods: ['password'], password: { user } },
        scope: { project: { name: account.project, domain: { name: account.projectDomain } } },
      }
  const root = base.endsWith('/v3') ? base : `${base}/v3`
  const answer = await call('POST', `${root}/auth/tokens`, { headers, body: JSON.stringify({ auth }) })
  const said: unknown = await answer.body.json()
  if (!fits(Token3, said)) throw unreadable()
  const urls = said.token.catalog.filter((service) => service.type === type).flatMap((service) => service.endpoints)
  const found = urls.find(
    (one) => one.interface === 'public' && (account.region === '' || (one.region_id ?? one.region) === account.region),
  )
  if (!found) throw noEndpoint(type, account.region)
  return { token: answer.headers['x-subject-token'] ?? '', url: found.url.replace(/\/$/, '') }
}

const Access2 = Type.Object({
  access: Type.Object({
    token: Type.Object({ id: Type.String() }),
    serviceCatalog: Type.Array(
      Type.Object({
        type: Type.String(),
        endpoints: Type.Array(Type.Object({ publicURL: Type.String(), region: Type.Optional(Type.String()) })),
      }),
    ),
  }),
})
const Token3 = Type.Object({
  token: Type.Object({
    catalog: Type.Array(
      Type.Object({
        type: Type.String(),
        endpoints: Type.Array(
          Type.Object({
            url: Type.String(),
            interface: Type.String(),
            region_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
            region: Type.Optional(Type.Union([Type.String(), Type.Null()])),
          }),
        ),
      }),
    ),
  }),
})
const unreadable = () => new CloudError('unavailable', 'The answer of the Identity service is not one.')
const noEndpoint = (type: string, region: string) =>
  new CloudError('unavailable', `The catalog has no ${type} service${region ? ` in ${region}` : ''}.`)
