import { Type } from 'typebox'
import type { Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as catalogRows from '../db/catalog.ts'
import * as policyRows from '../db/policies.ts'
import type { Deps } from '../logic/deps.ts'
import { endpointsOf, policyFor } from '../logic/policy-places.ts'
import { must } from '../logic/refusals.ts'
import { endpointView } from './endpoints.ts'
import { policyView } from './policies.ts'
import { listed } from './shapes.ts'

const kinds = [
  ['endpoint', 'endpoints/:endpointId'],
  ['service', 'services/:serviceId'],
  ['region_and_service', 'services/:serviceId/regions/:regionId'],
] as const

/** Source: Identity API reference, "OS-ENDPOINT-POLICY API". */
export function policyAssociationRoutes(app: App, { database }: Deps): void {
  const db = database.read

  for (const [kind, path] of kinds) {
    const url = `/v3/policies/:policyId/OS-ENDPOINT-POLICY/${path}`
    const params = Type.Object({
      policyId: Type.String(),
      endpointId: Type.Optional(Type.String()),
      serviceId: Type.Optional(Type.String()),
      regionId: Type.Optional(Type.String()),
    })
    const rule = (verb: string) => ({ policy: `identity:${verb}_policy_association_for_${kind}` })

    app.put(url, { config: rule('create'), schema: { params } }, async (request, reply) => {
      const { policyId, ...place } = request.params
      await database.write(async (trx) => {
        await mustExist(trx, policyId, place)
        await policyRows.associate(trx, policyId, place)
      })
      return reply.code(204).send()
    })

    app.get(url, { config: rule('check'), schema: { params } }, async (request, reply) => {
      const { policyId, ...place } = request.params
      await mustExist(db, policyId, place)
      if ((await policyRows.policyIdAt(db, place)) !== policyId) throw notAssociated()
      return reply.code(204).send()
    })

    app.delete(url, { config: rule('delete'), schema: { params } }, async (request, reply) => {
      const { policyId, ...place } = request.params
      await database.write(async (trx) => {
        await mustExist(trx, policyId, place)
        await policyRows.dissociate(trx, policyId, place) // taking away what is not there is no error upstream
      })
      return reply.code(204).send()
    })
  }

  app.get(
    '/v3/policies/:id/OS-ENDPOINT-POLICY/endpoints',
    {
      config: { policy: 'identity:list_endpoints_for_policy' },
      schema: { params: Type.Object({ id: Type.String() }) },
    },
    async (request) => {
      const { id } = request.params
      must(await policyRows.find(db, id), 'policy', id)
      return listed(request, 'endpoints', await endpointsOf(db, id), endpointView(request))
    },
  )

  app.get(
    '/v3/endpoints/:id/OS-ENDPOINT-POLICY/policy',
    { config: { policy: 'identity:get_policy_for_endpoint' }, schema: { params: Type.Object({ id: Type.String() }) } },
    async (request) => {
      const { id } = request.params
      const policy = await policyFor(db, must(await catalogRows.findEndpoint(db, id), 'endpoint', id))
      if (!policy) throw new CloudError('notFound', `No policy is associated with endpoint ${id}.`)
      return { policy: policyView(request)(policy) }
    },
  )
}

const notAssociated = () => new CloudError('notFound', 'Could not find policy association.')

async function mustExist(db: Db, policyId: string, { endpointId, serviceId, regionId }: policyRows.Place) {
  must(await policyRows.find(db, policyId), 'policy', policyId)
  if (endpointId !== undefined) must(await catalogRows.findEndpoint(db, endpointId), 'endpoint', endpointId)
  if (serviceId !== undefined) must(await catalogRows.findService(db, serviceId), 'service', serviceId)
  if (regionId !== undefined) must(await catalogRows.findRegion(db, regionId), 'region', regionId)
}
