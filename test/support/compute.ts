import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Answer, type Caller, type CloudOptions, startCloud, type TestCloud } from './cloud.ts'
import { layerOf, savedArchive } from './image.ts'

export const latest = { 'openstack-api-version': 'compute 2.93' }

/** A cloud with an image to boot from. */
export interface ComputeCloud extends TestCloud {
  readonly imageId: string
  /** Creates servers without networks, at microversion 2.93 unless told otherwise. */
  create(who: 'admin' | 'demo', wanted?: object, headers?: Record<string, string>): Promise<Answer>
  /** Creates one and waits until it is settled; gives its id. */
  boot(who: 'admin' | 'demo', wanted?: object): Promise<string>
  show(who: 'admin' | 'demo', id: string, headers?: Record<string, string>): Promise<Answer['body']>
  act(who: 'admin' | 'demo', id: string, action: object, headers?: Record<string, string>): Promise<Answer>
  /** For what waits for a moment to come. */
  until(holds: () => Promise<boolean>): Promise<void>
}

export async function startComputeCloud(t: TestContext, options: CloudOptions = {}): Promise<ComputeCloud> {
  const cloud = await startCloud(t, options)
  const imageId = await addImage(cloud.as('admin'), { visibility: 'public' })
  await cloud.settle()
  const path = (id: string) => `/v2.1/servers/${id}`
  const self: ComputeCloud = {
    ...cloud,
    imageId,
    create: (who, wanted = {}, headers = latest) =>
      cloud
        .as(who)
        .post(
          'compute',
          '/v2.1/servers',
          { server: { name: 'one', imageRef: imageId, flavorRef: '1', networks: 'none', ...wanted } },
          headers,
        ),
    async boot(who, wanted) {
      const { status, body } = await self.create(who, wanted)
      assert.equal(status, 202, JSON.stringify(body))
      await cloud.settle()
      return body.server.id as string
    },
    async show(who, id, headers = latest) {
      const { status, body } = await cloud.as(who).get('compute', path(id), headers)
      assert.equal(status, 200, JSON.stringify(body))
      return body.server
    },
    act: (who, id, action, headers = latest) => cloud.as(who).post('compute', `${path(id)}/action`, action, headers),
    async until(holds) {
      const deadline = performance.now() + 20_000
      while (!(await holds())) {
        assert.ok(performance.now() < deadline, 'not within 20 s')
        await cloud.settle()
      }
    },
  }
  return self
}

/** An image as `docker save` writes it; gives its id. */
export async function addImage(caller: Caller, attributes: object = {}): Promise<string> {
  const wanted = { name: 'bb', container_format: 'docker', disk_format: 'raw', ...attributes }
  const { status, body } = await caller.post('image', '/v2/images', wanted)
  assert.equal(status, 201, JSON.stringify(body))
  const archive = await savedArchive([await layerOf('bin/busybox', `content ${body.id}`)])
  const uploaded = await caller.put('image', `/v2/images/${body.id}/file`, archive)
  assert.equal(uploaded.status, 204, JSON.stringify(uploaded.body))
  return body.id as string
}
