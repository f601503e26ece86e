import { readFileSync } from 'node:fs'
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyTypeProvider,
  fastify,
  LogController,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify'
import type { Static, TSchema } from 'typebox'
import type { Authenticate, Context } from '../auth/context.ts'
import { allows } from '../auth/delegation.ts'
import type { Policy, Target } from '../auth/policy.ts'
import { CloudError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Logger } from '../log.ts'
import { type Fault, type FaultDialect, type Spoken, statusOf, unauthorizedBody } from './faults.ts'
import { observe, serveMetrics } from './metrics.ts'
import {
  type Microversion,
  type MicroversionRange,
  microversion,
  microversionText,
  negotiate,
} from './microversions.ts'
import { compile, InvalidRequest, invalid } from './validation.ts'

interface TypeBoxProvider extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown
}

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxProvider
>

/** A route as it was added, with what it says of its input. */
export interface ListedRoute {
  readonly method: string
  readonly url: string
  readonly policy: string
  /** JSON schemas. */
  readonly body?: unknown
  readonly querystring?: unknown
  /** The schemas a handler chooses between, at one microversion. */
  readonly bodies?: (at: Microversion) => readonly unknown[]
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks. Reading it on a `public` route throws. */
    ctx: Context
    microversion: Microversion
    /** The policy's verdict on the thing acted on; `rule` defaults to the route's. @throws PolicyRefusal */
    enforce(target: Target, rule?: string): void
    /** The same as a question. */
    can(target: Target, rule: string): boolean
  }
  interface FastifyInstance {
    /** Every route with its rule: for the documentation, and for the test that knocks on each without a token. */
    routeList: ListedRoute[]
    /** By which its routes are judged. */
    policy: Policy
  }
  interface FastifyContextConfig {
    /** A rule of the policy, `authenticated` (any valid token), or `public`. A route without one is refused at start. */
    policy?: string
    /** `handler`: the rule needs the thing acted on, so the handler calls `request.enforce(target)` itself. */
    check?: 'route' | 'handler'
    /** First and last microversion that has this route; outside them it does not exist. */
    since?: string
    until?: string
    /** The body's schemas where only the handler can choose one (microversions, action names); kept in `routeList`. */
    bodies?: (at: Microversion) => readonly unknown[]
  }
}

/** A rule of the policy said no. */
export class PolicyRefusal extends CloudError {
  readonly rule: string
  constructor(rule: string) {
    super('forbidden', `Policy doesn't allow ${rule} to be performed.`)
    this.rule = rule
  }
}

export interface AppOptions {
  /** Official service type; names the metrics and logs. */
  service: string
  dialect: FaultDialect
  policy: Policy
  authenticate: Authenticate
  /** What a 401 points at: `http://…:5000/v3`. */
  identityUrl: string
  log: Logger
  microversions?: MicroversionRange
  /** Bytes of a JSON body; 112 KiB as oslo.middleware has it. */
  bodyLimit?: number
  /** Bodies of any other media type reach the handler as a stream (`request.body`), unread and unbounded. */
  streams?: boolean
  /** false: a missing token is the handler's business on every route (the registry has tokens of its own). */
  tokens?: boolean
  /** Further names of the request id header (`x-compute-request-id`). */
  requestIdHeaders?: readonly string[]
  ready?: () => Promise<void> | void
}

/**
 * A service's HTTP application: request ids, microversions, token → Context, policy, strict validation, one error
 * dialect, health and metrics. Routes are added by the service.
 */
export function createApp(options: AppOptions): App {
  const { policy, log, dialect } = options
  const app: App = fastify({
    loggerInstance: log.child({ service: options.service }) as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyLimit ?? 114_688,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1024 },
    forceCloseConnections: true,
    genReqId: () => `req-${newId()}`,
    exposeHeadRoutes: true,
    keepAliveTimeout: 75_000,
    // The router's own refusals come before any hook and would be said in the framework's words.
    frameworkErrors(error, request, reply) {
      reply.header('x-openstack-request-id', request.id)
      return speak(reply as unknown as FastifyReply, dialect(faultOf(error, request as unknown as FastifyRequest)))
    },
  }).withTypeProvider<TypeBoxProvider>()

  app.setValidatorCompiler(({ schema, httpPart }) => {
    const validate = compile(schema as object, httpPart)
    return (data: unknown) => (validate(data) ? { value: data } : { error: invalid(validate.errors ?? []) })
  })
  parseBodies(app, options.streams === true)

  app.decorateRequest('microversion', 0)
  const contexts = new WeakMap<FastifyRequest, Context>()
  const enforced = new WeakSet<FastifyRequest>()
  app.decorateRequest('ctx', {
    getter(this: FastifyRequest): Context {
      const ctx = contexts.get(this)
      if (!ctx) throw new Error('A public route has no context')
      return ctx
    },
  })
  app.decorateRequest('can', function (this: FastifyRequest, target: Target, rule: string): boolean {
    enforced.add(this)
    return policy.check(rule, this.ctx, target)
  })
  app.decorateRequest('enforce', function (this: FastifyRequest, target: Target, rule?: string): void {
    const name = rule ?? this.routeOptions.config.policy ?? ''
    if (!this.can(target, name)) throw new PolicyRefusal(name)
  })

  app.decorate('policy', policy)
  const routeList: App['routeList'] = []
  app.decorate('routeList', routeList)
  app.addHook('onRoute', ({ method, url, config, schema }) => {
    const rule = config?.policy
    const { body, querystring } = schema ?? {}
    const input = { body, querystring, ...(config?.bodies && { bodies: config.bodies }) }
    for (const each of [method].flat()) routeList.push({ method: each, url, policy: rule ?? '', ...input })
    if (rule === undefined) throw new Error(`${String(method)} ${url} names no policy`)
    if (rule !== 'public' && rule !== 'authenticated' && !policy.has(rule)) {
      throw new Error(`${String(method)} ${url} names the policy ${rule}, which does not exist`)
    }
  })

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-openstack-request-id', request.id)
    for (const name of options.requestIdHeaders ?? []) reply.header(name, request.id)
    const config = request.routeOptions.config
    if (config.policy === 'public' && options.microversions === undefined) return
    if (options.microversions) speakVersion(request, reply, options.microversions)
    if (config.policy === 'public') return
    if (options.tokens === false && request.is404) return
    const header = request.headers['x-auth-token']
    const ctx = typeof header === 'string' && header ? options.authenticate(header, request.id) : null
    if (!ctx || !allows(ctx.delegation, options.service, request.method, request.url)) {
      reply.code(401).header('www-authenticate', `Keystone uri="${options.identityUrl}"`)
      return reply.send(unauthorizedBody)
    }
    contexts.set(request, ctx)
    if (request.is404) return
    if (
      (config.since && request.microversion < microversion(config.since)) ||
      (config.until && request.microversion > microversion(config.until))
    ) {
      throw new CloudError('notFound', 'The resource could not be found.')
    }
    if (config.policy === 'authenticated' || config.check === 'handler') return
    // Without a thing to act on, upstream's target is the caller's own project and user.
    request.enforce({ project_id: ctx.projectId, user_id: ctx.userId, domain_id: ctx.domainId })
  })

  app.addHook('onSend', async (request, reply, payload) => {
    if (request.routeOptions.config.check === 'handler' && reply.statusCode < 400 && !enforced.has(request)) {
      // A defect of ours, never the caller's: answering unchecked would be worse than not answering.
      log.fatal({ url: request.routeOptions.url, rule: request.routeOptions.config.policy }, 'handler enforced nothing')
      reply.code(500)
      return ''
    }
    return payload
  })

  app.addHook('onResponse', async (request, reply) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none')
    observe(options.service, request.method, route, reply.statusCode, reply.elapsedTime)
    log.debug(
      {
        id: request.id,
        service: options.service,
        method: request.method,
        url: request.url.split('?')[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
      },
      'request',
    )
  })

  app.setErrorHandler((error: unknown, request, reply) => {
    const fault = faultOf(error, request)
    if (fault.status >= 500) log.error({ id: request.id, url: request.url.split('?')[0], err: error }, fault.message)
    return speak(reply, dialect(fault))
  })
  app.setNotFoundHandler((request, reply) => {
    return speak(reply, dialect(faultOf(new CloudError('notFound', 'The resource could not be found.'), request)))
  })

  serveMetrics(app)
  app.get('/healthz', { config: { policy: 'public' } }, async () => ({ status: 'ok', version: packageVersion }))
  app.get('/readyz', { config: { policy: 'public' } }, async (_request, reply) => {
    try {
      await options.ready?.()
      return { status: 'ready' }
    } catch (error) {
      return reply
        .code(503)
        .send({ status: 'not ready', reason: error instanceof Error ? error.message : String(error) })
    }
  })
  return app
}

const packageVersion = (
  JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }
).version

function parseBodies(app: App, streams: boolean): void {
  const json = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  // Clients send `Content-Type: application/json` with nothing behind it on DELETE and on some POSTs.
  const parse: typeof json = (request, body, done) => (body === '' ? done(null, undefined) : json(request, body, done))
  app.addContentTypeParser(
    /^application\/([\w.-]+\+)?(json|openstack-images-v2\.\d-json-patch)/,
    { parseAs: 'string' },
    parse,
  )
  if (streams) app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
}

function speakVersion(request: FastifyRequest, reply: FastifyReply, range: MicroversionRange): void {
  request.microversion = microversion(range.min)
  reply.header('vary', ['OpenStack-API-Version', range.legacyHeader].filter(Boolean).join(', '))
  const say = (v: Microversion) => {
    reply.header('openstack-api-version', `${range.service} ${microversionText(v)}`)
    if (range.legacyHeader) reply.header(range.legacyHeader.toLowerCase(), microversionText(v))
  }
  say(request.microversion)
  request.microversion = negotiate(request.headers, range)
  say(request.microversion)
}

function faultOf(error: unknown, request: FastifyRequest): Fault {
  const known = error instanceof CloudError ? error : fromFastify(error)
  return {
    kind: known.kind,
    status: statusOf[known.kind],
    message: known.message,
    type: known.type,
    requestId: request.id,
    rule: known instanceof PolicyRefusal ? known.rule : undefined,
    validation:
      known instanceof InvalidRequest ? { path: known.path, value: known.value, reason: known.reason } : undefined,
    url: request.url,
    version: request.microversion,
  }
}

/** Fastify's own refusals, in our kinds; anything unforeseen is ours to mend and tells the caller only that. */
function fromFastify(error: unknown): CloudError {
  const { code, validation, message } = error as { code?: string; validation?: unknown; message?: string }
  if (validation instanceof InvalidRequest) return validation
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new CloudError('tooLarge', 'Request is too large.')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new CloudError('unsupportedMedia', message ?? 'Unsupported Content-Type')
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new CloudError('badRequest', `Malformed request body: ${message}`, { cause: error })
    case '22021': // PostgreSQL's character_not_in_repertoire: it keeps no U+0000 in text
      return new CloudError('badRequest', 'Text must not hold the null character.', { cause: error })
    case 'FST_ERR_MAX_PARAM_LENGTH': // longer than any id or name
      return new CloudError('notFound', 'The resource could not be found.')
    case 'FST_ERR_BAD_URL':
      return new CloudError('badRequest', message ?? 'Malformed URL')
  }
  if (error instanceof SyntaxError) return new CloudError('badRequest', `Malformed request body: ${error.message}`)
  return new CloudError('internal', 'An unexpected error prevented the server from fulfilling your request.', {
    cause: error,
  })
}

function speak(reply: FastifyReply, { status, body, contentType, headers }: Spoken): FastifyReply {
  reply.code(status).type(contentType ?? 'application/json')
  if (headers) reply.headers(headers)
  return reply.send(body)
}
