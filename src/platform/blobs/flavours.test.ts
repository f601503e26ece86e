import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { temporaryDirectory } from '../../../test/support/databases.ts'
import { startS3 } from '../../../test/support/object-servers.ts'
import { newLogger } from '../log.ts'
import { driverOf, readFlavours, usualFlavours } from './flavours.ts'
import { openStores } from './open-stores.ts'

const log = newLogger('silent')

test('sections, anchors, common values and variables mean what they meant', () => {
  const read = (body: string, env = {}) => Object.fromEntries(readFlavours(body, env))
  const body = `
common: &common
  loglevel: info
  search: _env:SEARCH:sqlite:////tmp/a.db
  gone: _env:NOT_THERE
  said: _env:SAID:default
s3: &s3
  <<: *common
  storage: s3
  s3_secure: _env:SECURE:true
  nested:
    host: _env:HOST
    port: 25
dev:
  <<: *s3
  storage: local
`
  const { dev, s3, common } = read(body, { SAID: '', HOST: 'smtp' })
  assert.equal(common, undefined)
  assert.deepEqual(s3, {
    ...{ loglevel: 'info', search: 'sqlite:////tmp/a.db', said: '', storage: 's3', s3_secure: true },
    nested: { host: 'smtp', port: 25 },
  })
  assert.equal(dev?.storage, 'local')
  assert.throws(() => readFlavours('a: [', {}, 'config.yml'), /config\.yml is not valid YAML/)
})

test('every flavour of the field is known; what it needs is asked for by name', () => {
  const env = {
    ...{ AWS_BUCKET: 'b', AWS_KEY: 'k', AWS_SECRET: 's', GCS_BUCKET: 'g', GCS_KEY: 'k', GCS_SECRET: 's' },
    ...{ OS_AUTH_URL: 'http://127.0.0.1:5000/v3', OS_USERNAME: 'u', OS_PASSWORD: 'p', OS_CONTAINER: 'c' },
  }
  const flavours = readFlavours(usualFlavours, env)
  const type = (name: string, from = env) =>
    driverOf(name, readFlavours(usualFlavours, from).get(name) ?? {}, from)?.type
  for (const [name, expected] of Object.entries({
    ...{ local: undefined, dev: undefined, test: undefined, prod: 's3', s3: 's3', gcs: 'gcs', swift: 'swift' },
    ...{ glance: 'glance', 'glance-swift': 'glance', openstack: 'glance', 'openstack-swift': 'glance' },
  })) {
    assert.ok(flavours.has(name), name)
    assert.equal(type(name), expected, name)
  }
  assert.throws(() => type('elliptics'), /names elliptics: that storage engine is not maintained/)
  for (const [name, missing] of [
    ['s3', 'boto_bucket'],
    ['gcs', 'boto_bucket'],
    ['swift', 'swift_authurl'],
    ['glance', 'swift_authurl'],
  ] as const) {
    assert.throws(() => type(name, {} as typeof env), new RegExp(`${name} needs ${missing}`))
  }
})

test('a configuration file of old chooses where data goes; what is local stays readable', async (t) => {
  const dir = await temporaryDirectory(t)
  const keys = { accessKey: 'AK', secretKey: 'SK', region: 'r1' }
  const server = await startS3(t, keys)
  await writeFile(
    join(dir, 'config.yml'),
    `
common:
  s3_bucket: _env:BUCKET
prod:
  storage: s3
  storage_path: /registry
  s3_region: r1
  boto_host: 127.0.0.1
  boto_port: ${server.port}
  s3_secure: false
  s3_access_key: AK
  s3_secret_key: SK
shelf:
  storage: local
  storage_path: ${join(dir, 'shelf')}
bad:
  storage: s3
  s3_region: r1
  boto_host: 127.0.0.1
  boto_port: ${server.port}
  s3_secure: false
  s3_access_key: AK
  s3_secret_key: wrong
`,
  )
  const open = (flavor: string, alsoStores: string[] = [], configFile = 'config.yml') =>
    openStores(dir, { flavor, configFile, alsoStores }, { BUCKET: 'b' }, log)
  const local = await open('local')
  const early = await local.put(Readable.from([Buffer.from('early')]), { key: local.newKey('image-') })
  const prod = await open('prod', ['shelf'])
  assert.deepEqual(
    prod.stores.map(({ id, type }) => [id, type]),
    [
      ['prod', 's3'],
      ['local', 'file'],
      ['shelf', 'file'],
    ],
  )
  const key = prod.newKey('push-')
  assert.match(key, /^push-[0-9a-f]{32}:prod$/)
  await prod.put(Readable.from([Buffer.from('late')]), { key })
  assert.deepEqual([...server.objects.keys()], [`registry/${key.split(':')[0]}`])
  assert.equal(await text(await prod.open(key)), 'late')
  assert.equal(await text(await prod.open(early.key)), 'early')
  const shelved = prod.newKey('image-', 'shelf')
  await prod.put(Readable.from([Buffer.from('shelved')]), { key: shelved })
  assert.deepEqual((await Array.fromAsync(prod.list())).map((one) => one.key).sort(), [early.key, key, shelved].sort())
  for (const one of [key, shelved]) await prod.remove(one)
  assert.equal(server.objects.size, 0)
  await assert.rejects(open('none'), /There is no storage flavour none; there are local, prod, shelf, bad/)
  await assert.rejects(open('bad'), /The storage flavour bad cannot be used: .*403/)
  await assert.rejects(open('prod', [], 'other.yml'), /cannot read/)
})
