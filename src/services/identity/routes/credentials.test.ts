import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { projectScope, startIdentity } from '../../../../test/support/identity.ts'
import { signatureOf } from '../logic/ec2-signatures.ts'

test('a credential of any type: made, seen by its owner, changed, deleted; in the database it cannot be read', async (t) => {
  const { call, admin, tokenOf, seeded, ground } = await startIdentity(t)
  const demo = await tokenOf('demo', 'demo-secret', projectScope('demo'))
  const wanted = { user_id: seeded.demoUserId, type: 'totp', blob: 'GEZDGNBVGY3TQOJQ', note: 'phone' }
  const made = await call('POST', '/v3/credentials', { token: demo, body: { credential: wanted } })
  assert.equal(made.status, 201)
  const { id, links, ...rest } = made.body.credential
  assert.deepEqual(rest, { ...wanted, project_id: null })
  assert.ok(links.self.endsWith(`/v3/credentials/${id}`))
  const rows = await ground.database.read.selectFrom('identity_credentials').selectAll().execute()
  assert.ok(!JSON.stringify(rows).includes(wanted.blob))

  const others = { ...wanted, user_id: seeded.adminUserId }
  assert.equal((await call('POST', '/v3/credentials', { token: demo, body: { credential: others } })).status, 403)
  const foreign = await call('POST', '/v3/credentials', { token: admin, body: { credential: others } })
  const url = `/v3/credentials/${foreign.body.credential.id}`
  for (const method of ['GET', 'DELETE']) assert.equal((await call(method, url, { token: demo })).status, 403)
  const ids = async (token: string, query = '') =>
    (await call('GET', `/v3/credentials${query}`, { token })).body.credentials.map((each: { id: string }) => each.id)
  assert.deepEqual(await ids(demo), [id])
  assert.equal((await ids(admin)).length, 2)
  assert.deepEqual(await ids(admin, `?user_id=${seeded.demoUserId}&type=totp`), [id])
  assert.deepEqual(await ids(admin, '?type=cert'), [])

  const change = (body: object) => call('PATCH', `/v3/credentials/${id}`, { token: demo, body: { credential: body } })
  assert.equal((await change({ blob: 'ANOTHER' })).body.credential.blob, 'ANOTHER')
  assert.equal((await change({ user_id: seeded.adminUserId })).status, 403)
  assert.equal((await call('DELETE', `/v3/credentials/${id}`, { token: demo })).status, 204)
  assert.equal((await call('GET', `/v3/credentials/${id}`, { token: admin })).status, 404)
})

test('what an ec2 credential must be', async (t) => {
  const { call, admin: token, seeded } = await startIdentity(t)
  const create = (more: object) => {
    const credential = { user_id: seeded.demoUserId, type: 'ec2', project_id: seeded.demoProjectId, ...more }
    return call('POST', '/v3/credentials', { token, body: { credential } })
  }
  const blob = JSON.stringify({ access: 'k1', secret: 's1' })
  assert.equal((await create({ blob: 'no json' })).status, 400)
  assert.equal((await create({ blob: '{"secret":"x"}' })).status, 400)
  assert.equal((await create({ blob, project_id: null })).status, 400)
  const { body, status } = await create({ blob })
  assert.equal(status, 201)
  assert.equal(body.credential.id, createHash('sha256').update('k1').digest('hex'))
  assert.equal((await create({ blob })).status, 409)
  assert.equal((await create({ blob: '{"access":"k2","secret":"s"}' })).status, 201)
  const change = { blob: '{"access":"k2","secret":"s"}', project_id: seeded.adminProjectId, type: 'ec2' }
  const url = `/v3/credentials/${body.credential.id}`
  assert.equal((await call('PATCH', url, { token, body: { credential: change } })).status, 409)
  const other = { ...change, blob: '{"access":"k3","secret":"s"}' }
  const changed = await call('PATCH', url, { token, body: { credential: other } })
  assert.equal(changed.body.credential.project_id, seeded.adminProjectId)
})

test('keys of one user, signed requests, and the tokens they are worth', async (t) => {
  const { call, admin, tokenOf, seeded, ground, identity } = await startIdentity(t)
  const demo = await tokenOf('demo', 'demo-secret', projectScope('demo'))
  const path = `/v3/users/${seeded.demoUserId}/credentials/OS-EC2`
  const body = { tenant_id: seeded.demoProjectId }
  const made = await call('POST', path, { token: demo, body })
  assert.equal(made.status, 201)
  const { access, secret, tenant_id, user_id } = made.body.credential
  assert.deepEqual({ tenant_id, user_id }, { tenant_id: seeded.demoProjectId, user_id: seeded.demoUserId })
  assert.equal((await call('GET', path, { token: demo })).body.credentials[0].access, access)
  assert.equal((await call('GET', `${path}/${access}`, { token: admin })).body.credential.secret, secret)
  assert.equal((await call('POST', path, { token: demo, body: { tenant_id: 'nowhere' } })).status, 404)
  const elsewhere = `/v3/users/${seeded.adminUserId}/credentials/OS-EC2`
  assert.equal((await call('POST', elsewhere, { token: demo, body })).status, 403)
  assert.equal((await call('GET', elsewhere, { token: demo })).status, 403)

  const stamp = ground.clock.now().replace(/[-:]|\.\d+/g, '')
  const credential = `${access}/${stamp.slice(0, 8)}/RegionOne/ec2/aws4_request`
  const request = {
    verb: 'GET',
    host: 'cloud:8773',
    path: '/',
    params: { Action: 'DescribeInstances' },
    headers: {
      Authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host;x-amz-date, Signature=…`,
      Host: 'cloud:8773',
      'X-Amz-Date': stamp,
    },
  }
  const bodyHash = createHash('sha256').update('').digest('hex')
  const signature = signatureOf(secret, { ...request, bodyHash })
  const credentials = { access, signature, body_hash: bodyHash, ...request }
  const ask = (sent: object, token = admin) => call('POST', '/v3/ec2tokens', { token, body: { credentials: sent } })
  const worth = await ask(credentials)
  assert.equal(worth.status, 200)
  assert.deepEqual(worth.body.token.methods, ['ec2credential'])
  const token = String(worth.headers['x-subject-token'])
  assert.equal(identity.authenticate(token, 'req-1')?.projectId, seeded.demoProjectId)
  // What it is worth does not grow: it reads no credentials and is exchanged for no other token.
  assert.equal((await call('GET', path, { token })).status, 403)
  assert.equal((await call('GET', '/v3/credentials', { token })).status, 403)
  const again = { auth: { identity: { methods: ['token'], token: { id: token } } } }
  assert.equal((await call('POST', '/v3/auth/tokens', { body: again })).status, 403)

  assert.equal((await ask(credentials, demo)).status, 403)
  const forged = `${signature?.startsWith('0') ? '1' : '0'}${signature?.slice(1)}`
  assert.equal((await ask({ ...credentials, signature: forged })).status, 401)
  assert.equal((await ask({ ...credentials, access: 'unknown' })).status, 401)
  const v2 = { SignatureVersion: '2', Timestamp: ground.clock.now(), AWSAccessKeyId: access }
  const without = { verb: 'POST', host: 'cloud', path: '/', params: v2, headers: {}, bodyHash: '' }
  const signed2 = { access, ...without, host: 'cloud:8773', signature: signatureOf(secret, without) }
  assert.equal((await ask(signed2)).status, 200)
  ground.clock.advanceMs(16 * 60_000)
  assert.equal((await ask(credentials)).status, 401)
  assert.equal((await ask(signed2)).status, 401)

  const text = Buffer.from('GET\n\n\nnow\n/bucket')
  const s3 = (by: string) => {
    const sent = {
      access,
      token: text.toString('base64'),
      signature: createHmac('sha1', by).update(text).digest('base64'),
    }
    return call('POST', '/v3/s3tokens', { token: admin, body: { credentials: sent } })
  }
  assert.equal((await s3(secret)).body.token.project.id, seeded.demoProjectId)
  assert.equal((await s3('another')).status, 401)

  assert.equal((await call('DELETE', `${path}/${access}`, { token: demo })).status, 204)
  assert.equal((await call('GET', `${path}/${access}`, { token: demo })).status, 404)
  assert.equal((await s3(secret)).status, 401)
})
