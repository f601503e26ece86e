import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { check, compile } from '../../../platform/http/validation.ts'
import type { Deps } from '../logic/deps.ts'
import * as names from '../logic/names.ts'
import { conflict } from '../logic/refusals.ts'
import { dated, nameParams, since, strict } from './common.ts'

const body = compile(
  Type.Object({ name: Type.String({ pattern: '^CUSTOM_[A-Z0-9_]+$', maxLength: 255 }) }, strict),
  'body',
)
const path = (name: string) => `/resource_classes/${name}`
const view = (name: string) => ({ name, links: [{ rel: 'self', href: path(name) }] })

/** Source: Placement API reference, "Resource Classes". */
export function resourceClassRoutes(app: App, deps: Deps): void {
  const { read } = deps.database
  const rule = (verb: string) => ({ policy: `placement:resource_classes:${verb}`, since: '1.2' })
  const schema = { params: nameParams }

  app.get('/resource_classes', { config: rule('list') }, async (request, reply) => {
    dated(request, reply, null)
    return { resource_classes: (await names.listClasses(read)).map(view) }
  })

  app.post(
    '/resource_classes',
    { config: { ...rule('create'), bodies: () => [body.schema] } },
    async (request, reply) => {
      const { name } = check<{ name: string }>(body, request.body)
      if (!(await names.addClass(deps, name))) throw conflict(`Conflicting resource class already exists: ${name}`)
      return reply.code(201).header('location', path(name)).send()
    },
  )

  app.get('/resource_classes/:name', { config: rule('show'), schema }, async (request, reply) => {
    await names.requireClass(read, request.params.name)
    dated(request, reply, null)
    return view(request.params.name)
  })

  // Until 1.6 this renames; from 1.7 on it makes sure that there is one.
  app.put('/resource_classes/:name', { config: rule('update'), schema }, async (request, reply) => {
    const { name } = request.params
    if (since(request, '1.7')) {
      check(body, { name })
      const added = await names.addClass(deps, name)
      return reply
        .code(added ? 201 : 204)
        .header('location', path(name))
        .send()
    }
    const wanted = check<{ name: string }>(body, request.body)
    await names.renameClass(deps, name, wanted.name)
    return view(wanted.name)
  })

  app.delete('/resource_classes/:name', { config: rule('delete'), schema }, async (request, reply) => {
    await names.removeClass(deps, request.params.name)
    return reply.code(204).send()
  })
}
