import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../test/support/databases.ts'
import { startImage } from '../../../test/support/image.ts'
import { testLimits } from '../../../test/support/limits.ts'
import { drift } from '../../platform/quota/counters.ts'
import { counters } from './db/counters.ts'

const wish = { json: { container_format: 'bare', disk_format: 'raw' } }
const mebibyte = Buffer.alloc(2 ** 20)

eachDatabase((name, open) => {
  test(`${name}: images are limited by number, size and uploads under way, also when asked for at once`, async (t) => {
    const { as, database } = await startImage(t, { open })
    const alpha = as('alpha')
    const limits = await testLimits(database, ['alpha'])
    const fallbacks = { image_count_total: -1, image_size_total: -1 }
    const set = (values: Record<string, number>) =>
      database.write((trx) => limits.set(trx, 'image', 'alpha', values, fallbacks))
    const usage = async () => (await alpha('GET', '/v2/info/usage')).body.usage

    assert.deepEqual((await usage()).image_count_total, { usage: 0, limit: -1 })
    await set({ image_count_total: 4, image_size_total: 2, image_stage_total: 1, image_count_uploading: 1 })
    const made = await Promise.all(Array.from({ length: 9 }, () => alpha('POST', '/v2/images', wish)))
    assert.deepEqual(made.map(({ status }) => status).sort(), [201, 201, 201, 201, 413, 413, 413, 413, 413])
    assert.match(made.find(({ status }) => status === 413)?.text ?? '', /image_count_total/)
    assert.equal((await as('beta')('POST', '/v2/images', wish)).status, 201)
    const [one, two, three, four] = made.flatMap(({ status, body }) => (status === 201 ? [body.id as string] : []))

    const send = (id: string | undefined, what: string, bytes: Buffer) =>
      alpha('PUT', `/v2/images/${id}/${what}`, { bytes, headers: { 'content-length': String(bytes.length) } })
    assert.equal((await send(one, 'stage', mebibyte)).status, 204)
    assert.deepEqual(await usage(), {
      image_size_total: { usage: 0, limit: 2 },
      image_stage_total: { usage: 1, limit: 1 },
      image_count_total: { usage: 4, limit: 4 },
      image_count_uploading: { usage: 1, limit: 1 },
    })
    const busy = await send(two, 'file', mebibyte)
    assert.equal(busy.status, 413)
    assert.match(busy.text, /image_count_uploading/)
    await set({ image_count_uploading: 4 })
    assert.match((await send(two, 'stage', mebibyte)).text, /image_stage_total/)
    // All of them are let in, none of them being there yet; what is too much is found when it is.
    const sent = await Promise.all([two, three, four].map((id) => send(id, 'file', mebibyte)))
    assert.deepEqual(sent.map(({ status }) => status).sort(), [204, 204, 413])
    assert.match(sent.find(({ status }) => status === 413)?.text ?? '', /image_size_total/)
    const direct = await alpha('POST', `/v2/images/${one}/import`, { json: { method: { name: 'glance-direct' } } })
    assert.equal(direct.status, 413)

    await set({ image_size_total: 1 })
    assert.deepEqual((await usage()).image_size_total, { usage: 2, limit: 1 })
    for (const id of [two, three, four]) assert.equal((await alpha('DELETE', `/v2/images/${id}`)).status, 204)
    assert.equal((await alpha('DELETE', `/v2/images/${one}`)).status, 204)
    for (const { usage: used } of Object.values<{ usage: number }>(await usage())) assert.equal(used, 0)
    assert.deepEqual(await drift(database.read, counters), [])
  })
})
