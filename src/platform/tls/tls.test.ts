import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { stat, writeFile } from 'node:fs/promises'
import { request as plainRequest } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { temporaryDirectory } from '../../../test/support/databases.ts'
import { claimPortBase } from '../../../test/support/ports.ts'
import { createPolicy } from '../auth/policy-engine.ts'
import { createApp } from '../http/app.ts'
import { newLogger } from '../log.ts'
import { listenBoth } from './both.ts'
import { authorityOf, madeCertificate, ownCertificate } from './certificates.ts'

const run = promisify(execFile)
const names = ['cloud.example.org', '127.0.0.1', '::1', 'localhost']
const dayMs = 24 * 3_600_000

test('the authority and its certificate are what others take for one', async (t) => {
  const dir = await temporaryDirectory(t)
  const now = Date.now()
  assert.equal(await authorityOf(dir), null)
  const { cert, authority } = await madeCertificate(dir, names, now)
  assert.equal(await authorityOf(dir), authority)
  const server = new X509Certificate(cert)
  const ca = new X509Certificate(authority ?? '')
  assert.deepEqual([ca.ca, server.ca, server.verify(ca.publicKey), server.checkIssued(ca)], [true, false, true, true])
  assert.equal((await stat(join(dir, 'tls', 'ca.key'))).mode & 0o777, 0o600)
  const { stdout } = await run('openssl', ['verify', '-x509_strict', '-CAfile', 'ca.crt', 'server.crt'], {
    cwd: join(dir, 'tls'),
  })
  assert.match(stdout, /server\.crt: OK/)

  assert.equal((await madeCertificate(dir, names, now)).cert, cert, 'kept while it is good')
  const later = await madeCertificate(dir, names, now + 370 * dayMs)
  assert.notEqual(later.cert, cert)
  assert.equal(later.authority, authority)
  const more = await madeCertificate(dir, [...names, 'other.example'], now)
  assert.ok(new X509Certificate(more.cert).checkHost('other.example'))

  const own = await ownCertificate(join(dir, 'tls', 'server.crt'), join(dir, 'tls', 'server.key'))
  assert.equal(own.authority, null)
  await assert.rejects(ownCertificate(join(dir, 'tls', 'server.crt'), join(dir, 'tls', 'ca.key')), /for another key/)
  await assert.rejects(ownCertificate('/none', '/none'), /cannot read \/none/)
  await writeFile(join(dir, 'x'), 'x')
  await assert.rejects(ownCertificate(join(dir, 'x'), join(dir, 'x')), /no certificate and its key/)
})

test('one port: TLS for everybody, plain HTTP for this machine', async (t) => {
  const made = await madeCertificate(await temporaryDirectory(t), names, Date.now())
  const app = createApp({
    ...{
      service: 'test',
      policy: createPolicy([]),
      authenticate: () => null,
      identityUrl: '',
      log: newLogger('silent'),
    },
    dialect: ({ status, message }) => ({ status, body: { message } }),
  })
  app.get('/where', { config: { policy: 'public' } }, async (asked) => ({ url: `${asked.protocol}://${asked.host}` }))
  const port = 30_000 + ((await claimPortBase(t)) % 1000)
  const door = await listenBoth(app, port, '127.0.0.1', made)
  t.after(() => door.close())
  const ask = async (ca: string | null, host = '127.0.0.1') => {
    const options = { port, host: '127.0.0.1', path: '/where', headers: { host: `${host}:${port}` } }
    const sent =
      ca === null ? plainRequest(options) : request({ ...options, ca, servername: host === '127.0.0.1' ? '' : host })
    return new Promise<string>((resolve, reject) => {
      sent
        .once('error', reject)
        .once('response', (answer) => resolve(text(answer)))
        .end()
    })
  }
  const authority = made.authority ?? ''
  assert.deepEqual(JSON.parse(await ask(authority)), { url: `https://127.0.0.1:${port}` })
  assert.deepEqual(JSON.parse(await ask(authority, 'cloud.example.org')), { url: `https://cloud.example.org:${port}` })
  assert.deepEqual(JSON.parse(await ask(null)), { url: `http://127.0.0.1:${port}` })
  await assert.rejects(ask(authority, 'evil.example'), /does not match certificate/)
  const another = await madeCertificate(await temporaryDirectory(t), names, Date.now())
  await assert.rejects(ask(another.authority ?? ''), /certificate/)
})
