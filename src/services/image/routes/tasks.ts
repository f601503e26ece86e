import { seconds } from '../../../platform/clock.ts'
import type { Database } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as importRows from '../db/imports.ts'
import { directionOf, limitOf, searchOf, sortKeyOf } from './metadef-shared.ts'
import { only } from './shared.ts'

/** What imports do, for administrators to read. Source: Image API v2 reference, "Tasks". */
export function taskRoutes(app: App, { database }: { database: Database }): void {
  const route = { exposeHeadRoute: false, config: { policy: 'tasks_api_access' } }

  app.get('/v2/tasks', route, async (request) => {
    const search = searchOf(request)
    const limit = limitOf(search) ?? 25
    const marker = search.get('marker')
    const after = marker ? await importRows.findTask(database.read, marker) : undefined
    if (marker && !after) throw new CloudError('badRequest', `Marker ${marker} could not be found.`)
    const page = await importRows.listTasks(database.read, {
      status: oneOf(statuses, 'status', search.get('status')),
      type: oneOf(types, 'type', search.get('type')),
      sortKey: sortKeyOf(search, importRows.taskSortKeys),
      direction: directionOf(search),
      after,
      limit,
    })
    search.delete('marker')
    const first = search.size > 0 ? `/v2/tasks?${search}` : '/v2/tasks'
    const last = page.at(-1)
    if (last) search.set('marker', last.id)
    return {
      tasks: page.map(stubView),
      first,
      ...(last && page.length === limit ? { next: `/v2/tasks?${search}` } : {}),
      schema: '/v2/schemas/tasks',
    }
  })
  only(app, '/v2/tasks', ['GET'])

  app.get<{ Params: { id: string } }>('/v2/tasks/:id', route, async ({ params: { id } }) => {
    const task = await importRows.findTask(database.read, id)
    if (!task) throw new CloudError('notFound', `Task with the given id ${id} was not found`)
    return taskView(task)
  })
  only(app, '/v2/tasks/:id', ['GET'])
}

const statuses = ['pending', 'processing', 'success', 'failure'] as const
const types = ['import', 'api_image_import'] as const

function oneOf<T extends string>(allowed: readonly T[], name: string, value: string | null): T | undefined {
  if (!value) return undefined
  const found = allowed.find((one) => one === value)
  if (!found) throw new CloudError('badRequest', `Invalid ${name} value: ${value}`)
  return found
}

const stubView = (task: importRows.Task) => ({
  id: task.id,
  type: task.type,
  status: task.status,
  owner: task.owner,
  image_id: task.imageId,
  request_id: task.requestId,
  user_id: task.userId,
  created_at: seconds(task.createdAt),
  updated_at: seconds(task.updatedAt),
  ...(task.expiresAt === null ? {} : { expires_at: seconds(task.expiresAt) }),
  self: `/v2/tasks/${task.id}`,
  schema: '/v2/schemas/task',
})

export const taskView = (task: importRows.Task) => ({
  ...stubView(task),
  input: task.input,
  result: task.result,
  message: task.message,
})
