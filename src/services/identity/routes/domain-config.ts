import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import * as domainConfig from '../logic/domain-config.ts'
import * as projects from '../logic/projects.ts'
import { forbidden, must } from '../logic/refusals.ts'
import { defaultDomainId } from '../logic/seed.ts'

const params = Type.Object({
  domainId: Type.String(),
  group: Type.Optional(Type.String()),
  option: Type.Optional(Type.String()),
})
const body = Type.Object({ config: Type.Record(Type.String(), Type.Unknown()) })
const compliance = 'security_compliance'
/** What a person needs to choose a password. */
const readable = (rules: Deps['compliance']): Readonly<Record<string, string | null>> => ({
  password_regex: rules.passwordRegex || null,
  password_regex_description: rules.passwordRegexDescription || null,
})

/** Source: Identity API reference, "Domain configuration". */
export function domainConfigRoutes(app: App, { database, compliance: rules }: Deps): void {
  const db = database.read
  const mustBeDomain = async (id: string) => void must(await projects.find(db, 'domain', id), 'domain', id)

  for (const path of ['', '/:group', '/:group/:option']) {
    const url = `/v3/domains/:domainId/config${path}`

    const showing = { policy: 'identity:get_domain_config', check: 'handler' } as const
    app.get(url, { config: showing, schema: { params } }, async (request) => {
      const { domainId, group, option } = request.params
      if (group === compliance) {
        request.enforce({}, 'identity:get_security_compliance_domain_config')
        await mustBeDomain(domainId)
        return { config: passwordRules(rules, domainId, option) }
      }
      request.enforce({})
      await mustBeDomain(domainId)
      return { config: await domainConfig.show(db, domainId, group, option) }
    })

    app.patch(
      url,
      { config: { policy: 'identity:update_domain_config' }, schema: { params, body } },
      async (request) => {
        const { domainId, group, option } = request.params
        await mustBeDomain(domainId)
        return { config: await domainConfig.merge(database, domainId, request.body.config, group, option) }
      },
    )

    app.delete(
      url,
      { config: { policy: 'identity:delete_domain_config' }, schema: { params } },
      async (request, reply) => {
        const { domainId, group, option } = request.params
        await mustBeDomain(domainId)
        await domainConfig.remove(database, domainId, group, option)
        return reply.code(204).send()
      },
    )
  }

  app.put(
    '/v3/domains/:domainId/config',
    { config: { policy: 'identity:create_domain_config' }, schema: { params, body } },
    async (request, reply) => {
      const { domainId } = request.params
      await mustBeDomain(domainId)
      const { config, isNew } = await domainConfig.replace(database, domainId, request.body.config)
      return reply.code(isNew ? 201 : 200).send({ config })
    },
  )

  const which = Type.Object({ group: Type.Optional(Type.String()), option: Type.Optional(Type.String()) })
  for (const path of ['', '/:group', '/:group/:option'])
    app.get(
      `/v3/domains/config${path}/default`,
      { config: { policy: 'identity:get_domain_config_default' }, schema: { params: which } },
      async (request) => ({ config: domainConfig.showDefault(request.params.group, request.params.option) }),
    )
}

/** No domain has password rules of its own: only those of the cloud can be read, under the default domain. */
function passwordRules(rules: Deps['compliance'], domainId: string, option: string | undefined): object {
  const refuse = (reason: string) => forbidden(`Invalid domain specific configuration: ${reason}.`)
  if (domainId !== defaultDomainId)
    throw refuse(
      'Reading security compliance information for any domain other than the default domain is not allowed or supported.',
    )
  const found = readable(rules)
  if (option !== undefined && !Object.hasOwn(found, option))
    throw refuse(
      'Reading security compliance values other than password_regex and password_regex_description is not allowed.',
    )
  return option === undefined ? { [compliance]: found } : { [option]: found[option] ?? null }
}
