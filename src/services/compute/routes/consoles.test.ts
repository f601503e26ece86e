import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import test from 'node:test'
import { type ComputeCloud, latest, startComputeCloud } from '../../../../test/support/compute.ts'

const at = (version: string) => ({ 'openstack-api-version': `compute ${version}` })
const serial = { remote_console: { protocol: 'serial', type: 'serial' } }

const ask = (cloud: ComputeCloud, id: string, wanted: object = serial, who: 'admin' | 'demo' = 'demo') =>
  cloud.as(who).post('compute', `/v2.1/servers/${id}/remote-consoles`, wanted, latest)

async function urlOf(cloud: ComputeCloud, id: string): Promise<string> {
  const { status, body } = await ask(cloud, id)
  assert.equal(status, 200, JSON.stringify(body))
  return body.remote_console.url
}

/** Opens it as a client would; null when it was refused. */
async function open(url: string, protocol = 'binary'): Promise<WebSocket | null> {
  const client = new WebSocket(url, [protocol])
  client.binaryType = 'arraybuffer'
  const opened = await Promise.race([once(client, 'open').then(() => true), once(client, 'error').then(() => false)])
  return opened ? client : null
}

const heard = async (client: WebSocket) => Buffer.from((await once(client, 'message'))[0].data).toString()

test('a serial console is the server’s terminal, until it stops', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  const url = await urlOf(cloud, id)
  assert.match(url, new RegExp(`^ws://127\\.0\\.0\\.1:${6083 + cloud.config.portBase}/\\?token=[0-9a-f-]{36}$`))
  const client = (await open(url))!
  assert.equal(client.protocol, 'binary')
  client.send(Buffer.from('hello'))
  assert.equal(await heard(client), 'hello') // the simulated host says what is typed
  const second = (await open(url))!
  second.close()
  await once(second, 'close')
  client.send(Buffer.from('again'))
  assert.equal(await heard(client), 'again')
  const closed = once(client, 'close')
  await cloud.act('demo', id, { 'os-stop': null })
  await cloud.settle()
  assert.equal((await closed)[0].code, 1000)
  assert.equal((await ask(cloud, id)).status, 409)
  assert.equal(await open(url), null, 'a stopped server has no terminal')
})

test('who may open a console, and for how long', async (t) => {
  const cloud = await startComputeCloud(t, { config: { consoleTokenSeconds: 1 } })
  const id = await cloud.boot('demo')
  const url = await urlOf(cloud, id)
  const token = new URL(url).searchParams.get('token')!
  const show = (who: 'admin' | 'demo', version: string, one = token) =>
    cloud.as(who).get('compute', `/v2.1/os-console-auth-tokens/${one}`, at(version))
  assert.deepEqual((await show('admin', '2.31')).body.console, {
    ...{ instance_uuid: id, host: 'host1', port: 6083 + cloud.config.portBase, internal_access_path: null },
  })
  assert.equal((await show('admin', '2.30')).status, 401)
  assert.equal((await show('admin', '2.31', 'none')).status, 404)
  assert.equal((await show('demo', '2.31')).status, 403)
  assert.equal(await open(url.replace(/.$/, (c) => (c === '0' ? '1' : '0'))), null)

  const knock = async (origin: string) => {
    const { port, pathname, search } = new URL(url)
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
    const headers = { ...upgrade, 'sec-websocket-key': btoa('x'.repeat(16)), origin }
    const call = request({ host: '127.0.0.1', port, path: pathname + search, headers }).end()
    const answered = await Promise.race([
      once(call, 'upgrade').then(([answer, socket]) => {
        socket.destroy()
        return answer.statusCode
      }),
      once(call, 'response').then(([answer]) => answer.resume().statusCode),
    ])
    return answered as number
  }
  assert.equal(await knock('http://127.0.0.1:8888'), 101)
  assert.equal(await knock('http://evil.example'), 403)
  await cloud.until(async () => (await show('admin', '2.31')).status === 404)
  assert.equal(await open(url), null, 'too old')

  const other = await cloud.boot('admin')
  assert.equal((await ask(cloud, other)).status, 404)
})

test('what a container has not is refused in upstream’s way', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  for (const [protocol, type] of [
    ['vnc', 'novnc'],
    ['spice', 'spice-html5'],
    ['rdp', 'rdp-html5'],
    ['mks', 'webmks'],
    ['serial', 'novnc'],
  ]) {
    assert.equal((await ask(cloud, id, { remote_console: { protocol, type } })).status, 400, `${protocol} ${type}`)
  }
  const old = (action: object, version = '2.5') => cloud.act('demo', id, action, at(version))
  const { status, body } = await old({ 'os-getSerialConsole': { type: 'serial' } })
  assert.deepEqual([status, body.console.type], [200, 'serial'])
  assert.equal((await old({ 'os-getVNCConsole': { type: 'novnc' } })).status, 400)
  assert.equal((await old({ 'os-getSerialConsole': { type: 'serial' } }, '2.6')).status, 404)
  assert.equal(
    (await cloud.as('demo').post('compute', `/v2.1/servers/${id}/remote-consoles`, serial, at('2.5'))).status,
    404,
  )
})
