import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { readConfig } from '../config.ts'
import { holderOf, takenPorts } from './ports.ts'

test('a port that is taken is named with its service and its holder', async (t) => {
  const free = readConfig({}, { stateDir: '/tmp/none', portBase: '16500', bind: '127.0.0.1' })
  assert.deepEqual(await takenPorts(free), [])
  const server = createServer().listen(21_500, '127.0.0.1') // identity: 5000 + 16500
  await once(server, 'listening')
  t.after(() => server.close())
  const [taken, ...others] = await takenPorts(free)
  assert.deepEqual(others, [])
  assert.equal(taken?.service, 'identity')
  assert.equal(taken?.port, 21_500)
  assert.match(taken?.reason ?? '', new RegExp(`^taken by process ${process.pid} \\(.*node`))
  assert.equal(holderOf(21_500)?.pid, process.pid)
})

test('an address of another machine is told from a port that is taken', async () => {
  const config = readConfig({}, { stateDir: '/tmp/none', portBase: '16500', bind: '192.0.2.1' })
  assert.equal((await takenPorts(config))[0]?.reason, '192.0.2.1 is no address of this machine')
})
