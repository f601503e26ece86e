import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { fetchOutward, isInternal, type OutwardRules, permitted } from './outward.ts'

const rules: OutwardRules = {
  allowedSchemes: ['http', 'https'],
  disallowedSchemes: [],
  allowedHosts: [],
  disallowedHosts: ['evil.example'],
  allowedPorts: [80, 443],
  disallowedPorts: [],
}

test('what is inside is known in every spelling', () => {
  const internal = ['127.0.0.1', '10.1.2.3', '169.254.169.254', '192.168.0.1', '172.31.0.1', '100.64.0.1', '0.0.0.0']
  internal.push('198.18.4.1', '224.0.0.1', '255.255.255.255', '::1', '::', 'fe80::1', 'fd00::1', 'ff02::1')
  internal.push(
    '::ffff:127.0.0.1',
    '::ffff:a00:1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:0:7f00:1::',
    '::127.0.0.1',
  )
  for (const address of internal) assert.equal(isInternal(address), true, address)
  for (const address of ['192.0.2.2', '8.8.8.8', '172.32.0.1', '2606:4700::1', '64:ff9b::808:808']) {
    assert.equal(isInternal(address), false, address)
  }
})

test('URLs are held against the lists', () => {
  for (const url of ['http://example.org/x', 'https://example.org', 'http://192.0.2.7/', 'http://example.org:443/'])
    assert.ok(permitted(url, rules), url)
  const refused = [
    'ftp://example.org/',
    'file:///etc/passwd',
    'http://evil.example/',
    'http://evil.example./',
    'no url',
  ]
  refused.push(
    'http://example.org:8774/',
    'http://127.0.0.1/',
    'http://127.1/',
    'http://0x7f000001/',
    'http://2130706433/',
  )
  refused.push(
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://169.254.169.254/latest',
    'gopher://example.org',
    '',
  )
  refused.push(`http://example.org/${'x'.repeat(3000)}`)
  for (const url of refused) assert.equal(permitted(url, rules), null, url)
  const only = { ...rules, allowedHosts: ['mirror.example', '10.0.0.5'], disallowedHosts: ['mirror.example'] }
  assert.ok(permitted('http://mirror.example/', only))
  assert.ok(permitted('http://10.0.0.5/', only), 'whoever is named may be inside')
  assert.equal(permitted('http://other.example/', only), null)
})

async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

test('every hop is judged; a name that means an inner address is refused', async (t) => {
  const secret = await serve(t, (_request, response) => response.end('secret'))
  let asked = 0
  const door = await serve(t, (request, response) => {
    asked++
    const to: Record<string, string> = {
      '/inside': `http://127.0.0.2:${secret}/`,
      '/loop': '/loop',
      '/scheme': 'file:///etc/passwd',
      '/fine': '/end',
    }
    const location = to[request.url ?? '']
    if (location) response.writeHead(302, { location }).end()
    else if (request.url === '/end') response.end('the end')
    else response.writeHead(403).end()
  })
  const open = { ...rules, allowedHosts: ['127.0.0.1'], allowedPorts: [] }
  const at = (path: string) => fetchOutward(`http://127.0.0.1:${door}${path}`, open, AbortSignal.timeout(5000))
  const { body, length } = await at('/fine')
  assert.deepEqual([await text(body), length], ['the end', 7])
  await assert.rejects(at('/inside'), /does not pass filtering/)
  await assert.rejects(at('/scheme'), /does not pass filtering/)
  await assert.rejects(at('/loop'), /redirects more than 5 times/)
  await assert.rejects(at('/other'), /answers 403/)
  const before = asked
  const byName = { ...rules, allowedPorts: [] }
  await assert.rejects(
    fetchOutward(`http://localhost:${door}/end`, byName, AbortSignal.timeout(5000)),
    /does not pass filtering/,
  )
  assert.equal(asked, before)
})
