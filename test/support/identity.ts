import type { TestContext } from 'node:test'
import {
  createIdentity,
  type IdentityService,
  identityMigrations,
  type Seeded,
} from '../../src/services/identity/index.ts'
import { type TestGround, testGround } from './ground.ts'

export interface Reply {
  status: number
  headers: Record<string, unknown>
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of many shapes
  body: any
}

/** An identity service of the test's own, seeded, spoken to through its API. */
export interface TestIdentity {
  readonly ground: TestGround
  readonly identity: IdentityService
  readonly seeded: Seeded
  /** The administrator's token, scoped to project `admin`. */
  readonly admin: string
  call(method: string, url: string, options?: { token?: string; body?: unknown; headers?: object }): Promise<Reply>
  /** By password; `scope` as in the API, absent for the default. */
  logIn(user: string, password: string, scope?: unknown): Promise<Reply>
  tokenOf(user: string, password: string, scope?: unknown): Promise<string>
}

export const passwords = { adminPassword: 'admin-secret', demoPassword: 'demo-secret' }

export async function startIdentity(
  t: TestContext,
  options: Parameters<typeof testGround>[2] = {},
): Promise<TestIdentity> {
  const ground = await testGround(t, [identityMigrations], options)
  const identity = await createIdentity(ground)
  await identity.start?.()
  t.after(() => identity.stop?.())
  const seeded = await identity.seed(passwords)
  const call: TestIdentity['call'] = async (method, url, { token, body, headers } = {}) => {
    const reply = await identity.app!.inject({
      method: method as 'GET',
      url,
      headers: { ...(token === undefined ? {} : { 'x-auth-token': token }), ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    })
    return {
      status: reply.statusCode,
      headers: reply.headers,
      body: reply.body === '' ? null : reply.json(),
    }
  }
  const logIn: TestIdentity['logIn'] = (user, password, scope) => {
    const who = { name: user, domain: { id: 'default' }, password }
    const auth = { identity: { methods: ['password'], password: { user: who } }, ...(scope ? { scope } : {}) }
    return call('POST', '/v3/auth/tokens', { body: { auth } })
  }
  const tokenOf: TestIdentity['tokenOf'] = async (user, password, scope) => {
    const reply = await logIn(user, password, scope)
    if (reply.status !== 201) throw new Error(`${user} cannot log in: ${JSON.stringify(reply.body)}`)
    return String(reply.headers['x-subject-token'])
  }
  const admin = await tokenOf('admin', passwords.adminPassword, projectScope('admin'))
  return { ground, identity, seeded, admin, call, logIn, tokenOf }
}

export const projectScope = (name: string) => ({ project: { name, domain: { id: 'default' } } })
