import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startImage } from '../../../../test/support/image.ts'

const base = '/v2/metadefs/namespaces'
const cpu = { title: 'CPU', type: 'string', enum: ['a', 'b'], default: 'a' }

test('a namespace is made with all it contains, shown as a resource type has it, changed and deleted', async (t) => {
  const cloud = await startImage(t)
  const admin = cloud.as('admin')
  const json = {
    namespace: 'OS::Test',
    display_name: 'Test',
    visibility: 'public',
    properties: { cpu },
    objects: [{ name: 'box', required: ['cpu'], properties: { cpu } }],
    tags: [{ name: 'small' }],
    resource_type_associations: [{ name: 'Own::Type', prefix: 'hw_' }],
  }
  const made = await admin('POST', base, { json })
  assert.equal(made.status, 201, made.text)
  assert.equal(made.headers.location, `${base}/OS::Test`)
  assert.deepEqual(
    [made.body.owner, made.body.protected, made.body.self, made.body.tags, made.body.properties],
    ['ops', false, `${base}/OS::Test`, [{ name: 'small' }], { cpu }],
  )
  const shown = (await cloud.as('alpha')('GET', `${base}/OS::Test?resource_type=Own::Type`)).body
  assert.deepEqual(Object.keys(shown.properties), ['hw_cpu'])
  assert.deepEqual([shown.objects[0].required, Object.keys(shown.objects[0].properties)], [['hw_cpu'], ['hw_cpu']])
  assert.deepEqual(
    (await admin('GET', '/v2/metadefs/resource_types')).body.resource_types.map((one: { name: string }) => one.name),
    [
      'OS::Cinder::Volume',
      'OS::Glance::Image',
      'OS::Nova::Aggregate',
      'OS::Nova::Flavor',
      'OS::Nova::Server',
      'Own::Type',
    ],
  )

  const again = await admin('POST', base, { json })
  assert.equal(again.status, 409)
  assert.match(again.text, /The metadata definition namespace=OS::Test already exists\./)
  const renamed = await admin('PUT', `${base}/OS::Test`, { json: { namespace: 'New', protected: true } })
  assert.deepEqual([renamed.status, renamed.body.visibility, renamed.body.display_name], [200, 'private', undefined])
  const kept = await admin('DELETE', `${base}/New`)
  assert.equal(kept.status, 403)
  assert.match(kept.text, /Metadata definition namespace New is protected and cannot be deleted\./)
  for (const inside of ['objects/box', 'properties/cpu', 'tags/small', 'resource_types/Own::Type', 'tags']) {
    assert.equal((await admin('DELETE', `${base}/New/${inside}`)).status, 403, inside)
  }
  await admin('PUT', `${base}/New`, { json: { namespace: 'New' } })
  assert.equal((await admin('DELETE', `${base}/New`)).status, 204)
  assert.equal((await admin('GET', `${base}/New`)).status, 404)
})

test('only administrators write; a private namespace is nobody else’s business', async (t) => {
  const cloud = await startImage(t)
  const admin = cloud.as('admin')
  const alpha = cloud.as('alpha')
  await admin('POST', base, { json: { namespace: 'open', visibility: 'public' } })
  await admin('POST', base, { json: { namespace: 'hidden' } })
  await admin('POST', base, { json: { namespace: 'own', owner: 'alpha' } })
  const refused = await alpha('POST', base, { json: { namespace: 'x' } })
  assert.equal(refused.status, 403)
  assert.match(refused.text, /You are not authorized to complete add_metadef_namespace action\./)
  const names = async (query = '') =>
    (await alpha('GET', `${base}${query}`)).body.namespaces.map((one: { namespace: string }) => one.namespace)
  assert.deepEqual(await names('?sort_key=namespace&sort_dir=asc'), ['open', 'own'])
  assert.deepEqual(await names('?visibility=private'), ['own'])
  for (const name of ['hidden', 'absent']) {
    for (const under of ['', '/objects', '/properties', '/tags', '/resource_types']) {
      const answer = await alpha('GET', `${base}/${name}${under}`)
      assert.equal(answer.status, 404)
      assert.match(answer.text, new RegExp(`Metadata definition namespace=${name} was not found\\.`))
    }
    assert.equal((await alpha('DELETE', `${base}/${name}`)).status, 404)
  }
  assert.equal((await alpha('DELETE', `${base}/own`)).status, 403)
  assert.equal((await alpha('POST', `${base}/open/tags/a`)).status, 403)
})

test('namespaces are listed in pages, by resource type, and bad questions are refused', async (t) => {
  const cloud = await startImage(t)
  const admin = cloud.as('admin')
  for (const name of ['a', 'b', 'c']) {
    const resource_type_associations = name === 'b' ? [{ name: 'T' }] : []
    assert.equal((await admin('POST', base, { json: { namespace: name, resource_type_associations } })).status, 201)
  }
  const first = (await admin('GET', `${base}?limit=2&sort_key=namespace&sort_dir=asc`)).body
  assert.deepEqual(
    first.namespaces.map((one: { namespace: string }) => one.namespace),
    ['a', 'b'],
  )
  const next = (await admin('GET', first.next)).body
  assert.deepEqual([next.namespaces.length, next.namespaces[0].namespace, next.next], [1, 'c', undefined])
  const typed = (await admin('GET', `${base}?resource_types=T,U`)).body
  assert.deepEqual(
    [typed.namespaces.length, typed.namespaces[0].resource_type_associations[0].name, typed.first],
    [1, 'T', `${base}?resource_types=T%2CU`],
  )
  for (const query of ['limit=x', 'limit=-1', 'sort_dir=up', 'sort_key=secret', 'visibility=shared']) {
    assert.equal((await admin('GET', `${base}?${query}`)).status, 400, query)
  }
  assert.equal((await admin('GET', `${base}?marker=gone`)).status, 404)
  const bad = await admin('POST', base, { json: { namespace: 'x'.repeat(81) } })
  assert.equal(bad.status, 400)
  assert.match(bad.text, /Provided object does not match schema 'namespace': namespace: /)
  assert.equal((await admin('POST', base, { json: { namespace: 'x', schema: 'y' } })).status, 403)
  assert.equal((await admin('POST', base)).status, 400)
})

test('objects and properties are created, changed, renamed and deleted', async (t) => {
  const cloud = await startImage(t)
  const admin = cloud.as('admin')
  await admin('POST', base, { json: { namespace: 'n' } })
  for (const [under, one] of [
    ['objects', { name: 'x', description: 'd', properties: { cpu } }],
    ['properties', { name: 'x', ...cpu }],
  ] as const) {
    const noun = under === 'objects' ? 'object' : 'property'
    const made = await admin('POST', `${base}/n/${under}`, { json: one })
    assert.equal(made.status, 201, made.text)
    const twice = await admin('POST', `${base}/n/${under}`, { json: one })
    assert.equal(twice.status, 409)
    assert.match(twice.text, new RegExp(`A metadata definition ${noun} with name=x already exists in namespace=n\\.`))
    assert.deepEqual((await admin('GET', `${base}/n/${under}/x`)).body, made.body)
    const renamed = await admin('PUT', `${base}/n/${under}/x`, { json: { ...one, name: 'y' } })
    assert.deepEqual([renamed.status, renamed.body.name], [200, 'y'])
    await admin('POST', `${base}/n/${under}`, { json: one })
    assert.equal((await admin('PUT', `${base}/n/${under}/x`, { json: { ...one, name: 'y' } })).status, 409)
    assert.equal((await admin('DELETE', `${base}/n/${under}/x`)).status, 204)
    const gone = await admin('GET', `${base}/n/${under}/x`)
    assert.equal(gone.status, 404)
    assert.match(gone.text, new RegExp(`definition ${noun} with name=x was not found in namespace=n\\.`))
    assert.equal((await admin('DELETE', `${base}/n/${under}`)).status, 204)
    assert.deepEqual(Object.keys((await admin('GET', `${base}/n/${under}`)).body[under]), [])
    assert.equal((await admin('POST', `${base}/n/${under}`, { json: { name: 'z', bogus: 1 } })).status, 400)
  }
})

test('tags come singly and in bulk, whatever their case; a type’s prefix finds a property', async (t) => {
  const cloud = await startImage(t)
  const admin = cloud.as('admin')
  await admin('POST', base, { json: { namespace: 'n', properties: { cpu } } })
  const names = async (query = '') =>
    (await admin('GET', `${base}/n/tags${query}`)).body.tags.map((one: { name: string }) => one.name)
  const bulk = (list: string[], append = 'false') =>
    admin('POST', `${base}/n/tags`, {
      json: { tags: list.map((name) => ({ name })) },
      headers: { 'x-openstack-append': append },
    })
  assert.equal((await admin('POST', `${base}/n/tags/old`)).status, 201)
  assert.equal((await bulk(['a', 'b'])).status, 201)
  assert.equal((await bulk(['c'], 'true')).status, 201)
  assert.deepEqual(await names(), ['c', 'b', 'a'])
  assert.deepEqual(await names('?limit=1&marker=c'), ['b'])
  assert.equal((await bulk(['x', 'X'])).status, 409)
  assert.deepEqual(await names('?sort_key=name&sort_dir=asc'), ['a', 'b', 'c'], 'a refused bulk leaves the old ones')
  const twice = await admin('POST', `${base}/n/tags/A`)
  assert.equal(twice.status, 409)
  assert.match(twice.text, /A metadata tag with name=A already exists in namespace=n\./)
  assert.equal((await admin('PUT', `${base}/n/tags/a`, { json: { name: 'z' } })).body.name, 'z')
  assert.equal((await admin('DELETE', `${base}/n/tags/z`)).status, 204)
  assert.equal((await admin('DELETE', `${base}/n/tags`)).status, 204)
  assert.deepEqual(await names(), [])

  const type = { name: 'OS::Nova::Flavor', prefix: 'hw:' }
  assert.equal((await admin('POST', `${base}/n/resource_types`, { json: type })).status, 201)
  assert.equal((await admin('POST', `${base}/n/resource_types`, { json: type })).status, 409)
  const listed = (await admin('GET', `${base}/n/resource_types`)).body.resource_type_associations
  assert.deepEqual([listed.length, listed[0].prefix], [1, 'hw:'])
  const prefixed = `${base}/n/properties/hw:cpu?resource_type=${type.name}`
  assert.equal((await admin('GET', prefixed)).body.name, 'cpu')
  assert.equal((await admin('GET', `${base}/n/properties/cpu?resource_type=${type.name}`)).status, 404)
  assert.equal((await admin('DELETE', `${base}/n/resource_types/${type.name}`)).status, 204)
  const gone = await admin('DELETE', `${base}/n/resource_types/${type.name}`)
  assert.equal(gone.status, 404)
  assert.match(gone.text, /Failed to find resource type OS::Nova::Flavor to delete/)
})

test('every schema of metadata definitions is shown', async (t) => {
  const cloud = await startImage(t)
  for (const [name, called = name] of [
    ['namespace'],
    ['namespaces'],
    ['object'],
    ['objects'],
    ['property'],
    ['properties'],
    ['tag'],
    ['tags'],
    ['resource_type', 'resource_type_association'],
    ['resource_types', 'resource_type_associations'],
  ] as const) {
    assert.equal((await cloud.as('alpha')('GET', `/v2/schemas/metadefs/${name}`)).body.name, called)
  }
  assert.equal((await cloud.as('alpha')('GET', '/v2/schemas/metadefs/other')).status, 404)
})
