import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { test } from 'node:test'
import { startImage } from '../../../test/support/image.ts'
import { registryClient } from '../../../test/support/push.ts'

interface Event {
  action: string
  target: { repository: string; tag?: string; digest?: string; url?: string; size?: number }
  actor: { name: string }
  request: { method: string }
}

test('pushes and deletions are told in order, again after a refusal, and to each endpoint by itself', async (t) => {
  const told: Event[] = []
  const heads: Record<string, unknown>[] = []
  let status = 200
  const server = createServer(async (request, response) => {
    heads.push(request.headers)
    const { events } = (await json(request)) as { events: Event[] }
    if (status === 200) told.push(...events)
    response.writeHead(status).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const port = (server.address() as AddressInfo).port
  const endpoints = `http://ann:s%20ecret@127.0.0.1:${port}/hook, http://127.0.0.1:1/nobody`
  const cloud = await startImage(t, { config: { registryNotifications: endpoints } })
  const { registry, clock, database } = cloud
  const run = () =>
    registry.loops.find(({ name }) => name === 'registry.notifications')!.run(AbortSignal.timeout(30_000))
  const alpha = registryClient(registry.app!, 'alpha')
  const made = await alpha.image('alpha/app', 'v1', 'one')
  assert.deepEqual(await run(), { delivered: 1, refused: 1, forgotten: 0 })
  const [push] = told
  assert.deepEqual(
    [push?.action, push?.target.repository, push?.target.tag, push?.target.digest, push?.request.method],
    ['push', 'alpha/app', 'v1', made.digest, 'PUT'],
  )
  assert.equal(push?.target.url?.endsWith(`/v2/alpha/app/manifests/${made.digest}`), true)
  assert.equal(push?.target.size, made.content.length)
  assert.equal(heads[0]?.['content-type'], 'application/vnd.docker.distribution.events.v1+json')
  assert.equal(heads[0]?.authorization, `Basic ${Buffer.from('ann:s ecret').toString('base64')}`)
  const rows = await database.read.selectFrom('registry_events').select('endpoint').execute()
  assert.ok(!JSON.stringify(rows).includes('ecret'))

  status = 500
  await alpha.manifest('alpha/app', 'v2', made.content)
  await alpha.call('DELETE', '/v2/alpha/app/manifests/v2')
  assert.equal((await run()).refused, 2)
  status = 200
  assert.equal((await run()).delivered, 0, 'not at once')
  clock.advanceMs(700_000)
  await alpha.call('DELETE', `/v2/alpha/app/manifests/${made.digest}`)
  assert.equal((await run()).delivered, 3)
  assert.deepEqual(
    told.map(({ action, target }) => [action, target.tag ?? target.digest]),
    [
      ['push', 'v1'],
      ['push', 'v2'],
      ['delete', 'v2'],
      ['delete', made.digest],
    ],
  )
  const refused = await alpha.manifest('alpha/app', 'v3', made.content.replace('sha256:', 'sha256:0'))
  assert.ok(refused.status >= 400)
  assert.equal((await run()).delivered, 0, 'what did not happen is not told')
  clock.advanceMs(4 * 24 * 3_600_000)
  assert.equal((await run()).forgotten, 4)
})

test('a read-only registry serves, and refuses everything else', async (t) => {
  const cloud = await startImage(t)
  const alpha = registryClient(cloud.registry.app!, 'alpha')
  const made = await alpha.image('alpha/app', 'v1', 'one')
  const open = async () => cloud.database
  const still = await startImage(t, { open, openBlobs: async () => cloud.blobs, config: { registryReadOnly: true } })
  const reader = registryClient(still.registry.app!, 'alpha')
  assert.equal((await reader.call('GET', '/v2/alpha/app/manifests/v1')).bytes.toString(), made.content)
  for (const [method, url] of [
    ['POST', '/v2/alpha/app/blobs/uploads/'],
    ['PUT', '/v2/alpha/app/manifests/v2'],
    ['DELETE', '/v2/alpha/app/manifests/v1'],
    ['DELETE', `/v2/alpha/app/blobs/${made.digest}`],
  ] as const) {
    const answer = await reader.call(method, url, { body: '{}', headers: { 'content-type': 'application/json' } })
    assert.deepEqual([answer.status, answer.code], [405, 'UNSUPPORTED'], `${method} ${url}`)
  }
})
