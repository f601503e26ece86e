import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { startImage } from '../../../../test/support/image.ts'

const bare = { name: 'disk', container_format: 'bare', disk_format: 'raw' }
const patch = (ops: object[], version = '1') => ({
  json: ops,
  headers: { 'content-type': `application/openstack-images-v2.${version}-json-patch` },
})

test('an image is created, filled, shown, downloaded and deleted', async (t) => {
  const cloud = await startImage(t)
  const alpha = cloud.as('alpha')
  const made = await alpha('POST', '/v2/images', { json: { ...bare, tags: ['a', 'a'], os_distro: 'debian' } })
  assert.equal(made.status, 201)
  const { id } = made.body
  assert.equal(made.headers.location, `/v2/images/${id}`)
  assert.deepEqual(
    { ...made.body, id: '', created_at: '', updated_at: '' },
    {
      id: '',
      created_at: '',
      updated_at: '',
      name: 'disk',
      status: 'queued',
      visibility: 'shared',
      owner: 'alpha',
      container_format: 'bare',
      disk_format: 'raw',
      size: null,
      virtual_size: null,
      checksum: null,
      os_hash_algo: null,
      os_hash_value: null,
      min_disk: 0,
      min_ram: 0,
      protected: false,
      os_hidden: false,
      os_distro: 'debian',
      tags: ['a'],
      self: `/v2/images/${id}`,
      file: `/v2/images/${id}/file`,
      schema: '/v2/schemas/image',
    },
  )
  assert.equal((await alpha('GET', `/v2/images/${id}/file`)).status, 204)

  const bytes = Buffer.from('x'.repeat(100_000))
  assert.equal((await alpha('PUT', `/v2/images/${id}/file`, { bytes })).status, 204)
  const shown = (await alpha('GET', `/v2/images/${id}`)).body
  const md5 = createHash('md5').update(bytes).digest('hex')
  assert.deepEqual(
    [shown.status, shown.size, shown.checksum, shown.os_hash_algo, shown.os_hash_value],
    ['active', 100_000, md5, 'sha512', createHash('sha512').update(bytes).digest('hex')],
  )
  const file = await alpha('GET', `/v2/images/${id}/file`)
  assert.deepEqual([file.status, file.headers['content-md5'], file.text], [200, md5, bytes.toString()])
  const part = await alpha('GET', `/v2/images/${id}/file`, { headers: { range: 'bytes=10-19' } })
  assert.deepEqual([part.status, part.headers['content-range'], part.text.length], [206, 'bytes 10-19/100000', 10])
  assert.equal((await alpha('GET', `/v2/images/${id}/file`, { headers: { range: 'bytes=100000-' } })).status, 416)

  assert.equal((await alpha('PUT', `/v2/images/${id}/file`, { bytes })).status, 409)
  assert.equal((await alpha('DELETE', `/v2/images/${id}`)).status, 204)
  const gone = await alpha('GET', `/v2/images/${id}`)
  assert.equal(gone.status, 404)
  assert.match(String(gone.headers['content-type']), /^text\/html/)
  assert.match(gone.text, new RegExp(`<h1>404 Not Found</h1>\n  No image found with ID ${id}`))
  assert.deepEqual(await cloud.files(), [])
})

test('what may not be created', async (t) => {
  const { as } = await startImage(t)
  const id = '11111111-2222-3333-4444-555555555555'
  assert.equal((await as('alpha')('POST', '/v2/images', { json: { id } })).status, 201)
  for (const [json, status, text] of [
    [{ container_format: 'wrong' }, 400, /does not match schema 'image'/],
    [{ name: 'x'.repeat(256) }, 400, /too long/],
    [{ min_disk: -1 }, 400, /minimum of 0/],
    [{ min_ram: 'a' }, 400, /not of type/],
    [{ custom: 5 }, 400, /not of type/],
    [[], 400, /type/],
    [{ id: 'no' }, 400, /match/],
    [{ id }, 409, /already exists/],
    [{ status: 'active' }, 403, /read-only/],
    [{ self: 'x' }, 403, /read-only/],
    [{ os_glance_foo: 'bar' }, 403, /reserved/],
    [{ location: 'file:///etc/passwd' }, 403, /reserved/],
    [{ visibility: 'public' }, 403, /publicize_image/],
    [{ owner: 'beta' }, 403, /add_image/],
    [{ tags: Array.from({ length: 129 }, (_, i) => `t${i}`) }, 413, /tags/],
  ] as const) {
    const answer = await as('alpha')('POST', '/v2/images', { json })
    assert.equal(answer.status, status, JSON.stringify(json))
    assert.match(answer.text, text)
  }
  assert.equal((await as('reader')('POST', '/v2/images', { json: {} })).status, 403)
  assert.equal((await as('')('GET', '/v2/images')).status, 401)
  const broken = await as('alpha')('POST', '/v2/images', {
    bytes: Buffer.from('{'),
    headers: { 'content-type': 'application/json' },
  })
  assert.equal(broken.status, 400)
  assert.equal((await as('alpha')('PUT', '/v2/images', { json: {} })).status, 405)
  assert.equal((await as('alpha')('HEAD', `/v2/images/${id}`)).status, 405)
  for (const method of ['GET', 'DELETE'] as const) assert.equal((await as('alpha')(method, '/v2/images/')).status, 404)
})

test('PATCH in both media types', async (t) => {
  const { as } = await startImage(t)
  const alpha = as('alpha')
  const { id } = (await alpha('POST', '/v2/images', { json: { ...bare, old: 'x' } })).body
  const url = `/v2/images/${id}`
  const changed = await alpha(
    'PATCH',
    url,
    patch([
      { op: 'replace', path: '/name', value: 'other' },
      { op: 'add', path: '/hw~1disk~0bus', value: 'scsi' },
      { op: 'remove', path: '/old' },
      { op: 'replace', path: '/tags', value: ['b', 'a', 'b'] },
      { op: 'replace', path: '/protected', value: true },
      { op: 'replace', path: '/visibility', value: 'community' },
    ]),
  )
  assert.equal(changed.status, 200)
  const { name, tags, old, visibility } = changed.body
  assert.deepEqual(
    [name, tags.toSorted(), old, changed.body['hw/disk~bus'], visibility],
    ['other', ['a', 'b'], undefined, 'scsi', 'community'],
  )
  assert.equal((await alpha('PATCH', url, patch([{ replace: '/name', value: 'third' }], '0'))).body.name, 'third')

  for (const [change, status] of [
    [patch([{ op: 'replace', path: '/status', value: 'active' }]), 403],
    [patch([{ op: 'add', path: '/os_glance_foo', value: 'x' }]), 403],
    [patch([{ op: 'replace', path: '/visibility', value: 'public' }]), 403],
    [patch([{ op: 'replace', path: '/owner', value: 'beta' }]), 403],
    [patch([{ op: 'remove', path: '/name' }]), 403],
    [patch([{ op: 'replace', path: '/absent', value: 'x' }]), 409],
    [patch([{ op: 'remove', path: '/absent' }]), 409],
    [patch([{ add: '/name', value: 'x' }], '0'), 409],
    [patch([{ op: 'replace', path: '/min_disk', value: -4 }]), 400],
    [patch([{ op: 'replace', path: '/disk_format', value: 'floppy' }]), 400],
    [patch([{ op: 'move', path: '/name', value: 'x' }]), 400],
    [patch([{ op: 'add', path: 'name', value: 'x' }]), 400],
    [patch([{ op: 'add', path: '/a/b', value: 'x' }]), 400],
    [patch([{ op: 'add', path: '/a' }]), 400],
    [patch([5 as unknown as object]), 400],
    [{ json: { name: 'x' } }, 415],
  ] as const) {
    assert.equal((await alpha('PATCH', url, change)).status, status, JSON.stringify(change))
  }
  assert.equal((await alpha('DELETE', url)).status, 403, 'protected')
  assert.equal(
    (await as('admin')('PATCH', url, patch([{ op: 'replace', path: '/visibility', value: 'public' }]))).status,
    200,
  )
  assert.equal((await as('beta')('PATCH', url, patch([{ op: 'replace', path: '/name', value: 'mine' }]))).status, 403)
})

eachDatabase((engine, open) =>
  test(`${engine}: who sees what: private, shared, community, public`, async (t) => {
    const { as } = await startImage(t, { open })
    const make = async (visibility: string) =>
      (await as('admin')('POST', '/v2/images', { json: { name: visibility, visibility, owner: 'alpha' } })).body.id
    const ids: Record<string, string> = {}
    for (const visibility of ['private', 'shared', 'community', 'public']) ids[visibility] = await make(visibility)
    const names = async (who: string, query = '') =>
      (await as(who)('GET', `/v2/images${query}`)).body.images.map((i: { name: string }) => i.name).toSorted()

    assert.deepEqual(await names('alpha'), ['community', 'private', 'public', 'shared'])
    assert.deepEqual(await names('admin'), ['private', 'public', 'shared'])
    assert.deepEqual(await names('beta'), ['public'])
    assert.deepEqual(await names('beta', '?visibility=community'), ['community'])
    assert.deepEqual(await names('beta', '?visibility=all'), ['community', 'public'])
    for (const [visibility, status] of [
      ['private', 404],
      ['shared', 404],
      ['community', 200],
      ['public', 200],
    ] as const) {
      assert.equal((await as('beta')('GET', `/v2/images/${ids[visibility]}`)).status, status, visibility)
      assert.equal((await as('beta')('DELETE', `/v2/images/${ids[visibility]}`)).status, status === 200 ? 403 : 404)
    }

    const members = `/v2/images/${ids.shared}/members`
    assert.equal((await as('beta')('POST', members, { json: { member: 'beta' } })).status, 404)
    const added = await as('alpha')('POST', members, { json: { member: 'beta' } })
    assert.deepEqual([added.status, added.body.status, added.body.member_id], [200, 'pending', 'beta'])
    assert.equal((await as('alpha')('POST', members, { json: { member: 'beta' } })).status, 409)
    assert.deepEqual(await names('beta'), ['public'])
    assert.deepEqual(await names('beta', '?visibility=shared&member_status=pending'), ['shared'])
    assert.equal((await as('alpha')('PUT', `${members}/beta`, { json: { status: 'accepted' } })).status, 403)
    assert.equal((await as('beta')('PUT', `${members}/beta`, { json: { status: 'nonsense' } })).status, 400)
    assert.equal((await as('beta')('PUT', `${members}/beta`, { json: { status: 'accepted' } })).status, 200)
    assert.deepEqual(await names('beta'), ['public', 'shared'])
    assert.equal((await as('beta')('DELETE', `${members}/beta`)).status, 403)
    assert.equal((await as('alpha')('DELETE', `${members}/beta`)).status, 204)
    assert.equal((await as('beta')('GET', `/v2/images/${ids.shared}`)).status, 404)
    assert.equal(
      (await as('alpha')('POST', `/v2/images/${ids.private}/members`, { json: { member: 'b' } })).status,
      403,
    )
  }),
)

eachDatabase((engine, open) =>
  test(`${engine}: lists are filtered, sorted and paged`, async (t) => {
    const { as } = await startImage(t, { open })
    const alpha = as('alpha')
    for (let i = 0; i < 7; i++) {
      const json = { ...bare, name: `n${i}`, tags: [i % 2 ? 'odd' : 'even'], min_ram: i, number: String(i) }
      const { id } = (await alpha('POST', '/v2/images', { json })).body
      if (i > 1) await alpha('PUT', `/v2/images/${id}/file`, { bytes: Buffer.alloc(10 * i) })
    }
    const names = async (query: string) => {
      const { status, body, text } = await alpha('GET', `/v2/images?${query}`)
      return status === 200 ? body.images.map((i: { name: string }) => i.name).join(' ') : `${status} ${text}`
    }
    assert.equal(await names('sort=name:asc'), 'n0 n1 n2 n3 n4 n5 n6')
    assert.equal(await names(''), 'n6 n5 n4 n3 n2 n1 n0')
    assert.equal(await names('sort_key=size&sort_dir=asc&limit=3'), 'n1 n0 n2')
    assert.equal(await names('tag=odd&sort=name:asc'), 'n1 n3 n5')
    assert.equal(await names('tag=odd&tag=even'), '')
    assert.equal(await names('number=4'), 'n4')
    assert.equal(await names('status=active&size_min=30&size_max=50&sort=name:asc'), 'n3 n4 n5')
    assert.equal(await names('name=in:n1,"n2"&sort=name:asc'), 'n1 n2')
    assert.equal(await names('status=in:queued,saving&sort=name:asc'), 'n0 n1')
    assert.equal(await names('created_at=gt:2999-01-01T00:00:00Z'), '')
    assert.equal(await names('created_at=lte:2999-01-01T00:00:00Z&name=n3'), 'n3')
    assert.equal(await names('os_hidden=true'), '')
    assert.equal(await names('owner=beta'), '')
    for (const bad of [
      'limit=x',
      'limit=-1',
      'sort=colour',
      'sort=name:up',
      'visibility=odd',
      'created_at=gt:noon',
      'name=gt:x',
      'size_min=big',
      'protected=maybe',
      'marker=11111111-2222-3333-4444-555555555555',
      'changes-since=2020-01-01',
      'sort=name&sort_key=name',
    ]) {
      assert.match(await names(bad), /^400/, bad)
    }
    const seen: string[] = []
    let url: string | undefined = '/v2/images?limit=3&sort=status:asc,name:desc'
    while (url) {
      const { body } = await alpha('GET', url)
      seen.push(...body.images.map((i: { name: string }) => i.name))
      assert.equal(body.first, '/v2/images?limit=3&sort=status%3Aasc%2Cname%3Adesc')
      url = body.next
    }
    assert.equal(seen.join(' '), 'n6 n5 n4 n3 n2 n1 n0')
  }),
)

test('tags, deactivation, schemas and versions', async (t) => {
  const { as } = await startImage(t)
  const alpha = as('alpha')
  const { id } = (await alpha('POST', '/v2/images', { json: bare })).body
  assert.equal((await alpha('PUT', `/v2/images/${id}/tags/blue%20sky`)).status, 204)
  assert.deepEqual((await alpha('GET', `/v2/images/${id}`)).body.tags, ['blue sky'])
  assert.equal((await alpha('DELETE', `/v2/images/${id}/tags/blue%20sky`)).status, 204)
  assert.equal((await alpha('DELETE', `/v2/images/${id}/tags/blue%20sky`)).status, 404)
  assert.equal((await alpha('PUT', `/v2/images/${id}/tags/${'x'.repeat(256)}`)).status, 400)

  assert.equal((await alpha('POST', `/v2/images/${id}/actions/deactivate`)).status, 403, 'queued')
  await alpha('PUT', `/v2/images/${id}/file`, { bytes: Buffer.from('data') })
  assert.equal((await alpha('POST', `/v2/images/${id}/actions/deactivate`)).status, 204)
  assert.equal((await alpha('GET', `/v2/images/${id}`)).body.status, 'deactivated')
  assert.equal((await alpha('GET', `/v2/images/${id}/file`)).status, 403)
  assert.equal((await alpha('POST', `/v2/images/${id}/actions/reactivate`)).status, 204)
  assert.equal((await alpha('GET', `/v2/images/${id}/file`)).text, 'data')

  for (const name of ['image', 'images', 'member', 'members']) {
    assert.equal((await alpha('GET', `/v2/schemas/${name}`)).body.name, name)
  }
  assert.equal((await alpha('GET', '/v2/schemas/others')).status, 404)
  const versions = await as('')('GET', '/')
  assert.equal(versions.status, 300)
  assert.deepEqual(versions.body.versions[0].status, 'CURRENT')
  assert.equal((await as('')('GET', '/versions')).status, 200)
})
