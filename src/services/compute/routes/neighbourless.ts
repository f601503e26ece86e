import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { last, queryOf } from './common.ts'

const strict = { additionalProperties: false }
const Text = Type.String({ minLength: 1 })
const NewSnapshot = Type.Object(
  {
    snapshot: Type.Object(
      {
        volume_id: Text,
        create_info: Type.Object(
          { snapshot_id: Text, type: Type.Enum(['qcow2']), new_file: Text, id: Type.Optional(Text) },
          strict,
        ),
      },
      strict,
    ),
  },
  strict,
)

/**
 * Doors to what no container host has: bare metal, and disks in files that a hypervisor could snapshot. They refuse as
 * upstream does where these are not installed.
 * Source: Compute API reference, "Bare metal nodes", "Assisted volume snapshots".
 */
export function neighbourlessRoutes(app: App): void {
  const one = { params: Type.Object({ id: Type.String() }) }
  const bare = (rule: string) => ({ policy: rule, until: '2.35' })
  const nodes = 'os_compute_api:os-baremetal-nodes'

  const noClient = async () => {
    throw new CloudError('notImplemented', 'The requested functionality is not supported.')
  }
  app.get('/os-baremetal-nodes', { config: bare(`${nodes}:list`) }, noClient)
  app.get('/os-baremetal-nodes/:id', { config: bare(`${nodes}:show`), schema: one }, noClient)

  const insteadOf = (command: string) => async () => {
    const text = `Command Not supported. Please use Ironic command ${command} to perform this action.`
    throw new CloudError('badRequest', text)
  }
  app.post('/os-baremetal-nodes', { config: bare('authenticated') }, insteadOf('node-create'))
  app.delete('/os-baremetal-nodes/:id', { config: bare('authenticated'), schema: one }, insteadOf('node-delete'))
  app.post('/os-baremetal-nodes/:id/action', { config: bare('authenticated'), schema: one }, async ({ body }) => {
    const removes = typeof body === 'object' && body !== null && Object.hasOwn(body, 'remove_interface')
    return await insteadOf(removes ? 'port-delete' : 'port-create')()
  })

  const assisted = (name: string) => ({ policy: `os_compute_api:os-assisted-volume-snapshots:${name}` })
  const noDisk = (volumeId: string): never => {
    throw new CloudError('badRequest', `No volume Block Device Mapping with id ${volumeId}.`)
  }
  app.post(
    '/os-assisted-volume-snapshots',
    { config: assisted('create'), schema: { body: NewSnapshot } },
    async ({ body }) => noDisk(body.snapshot.volume_id),
  )
  app.delete('/os-assisted-volume-snapshots/:id', { config: assisted('delete'), schema: one }, async (request) =>
    noDisk(volumeOf(last(queryOf(request), 'delete_info'))),
  )
}

/** @throws CloudError `badRequest` */
function volumeOf(info: string | undefined): string {
  if (info === undefined) throw new CloudError('badRequest', "'delete_info'")
  let given: unknown
  try {
    given = JSON.parse(info)
  } catch (cause) {
    throw new CloudError('badRequest', 'delete_info is not JSON', { cause })
  }
  const { volume_id: volumeId } = (typeof given === 'object' && given !== null ? given : {}) as { volume_id?: unknown }
  if (typeof volumeId !== 'string') throw new CloudError('badRequest', "'volume_id'")
  return volumeId
}
