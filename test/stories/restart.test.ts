import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { type Api, logIn, until } from '../support/api.ts'
import { type Berth, newBerth } from '../support/berth.ts'

interface Shown {
  server: { id: string; name: string; status: string; 'OS-EXT-STS:task_state': string | null }
}

describe('what is stopped comes back', { concurrency: 1 }, () => {
  let berth: Berth
  let api: Api
  let id = ''

  before(async () => {
    berth = await newBerth(20_300)
    await berth.up()
    api = await logIn(await berth.openrc())
    id = (await api.get<{ servers: { id: string }[] }>('compute', '/servers')).servers[0]?.id ?? ''
  })
  after(async () => {
    await berth?.destroy()
  })

  const startedAt = async () => (await berth.docker('inspect', '-f', '{{.State.StartedAt}}', `nova-${id}`)).trim()
  const status = async () => (await api.get<Shown>('compute', `/servers/${id}`)).server.status

  test('up on a running cloud changes nothing and says so', async () => {
    const pid = await berth.pid()
    const before = await startedAt()
    await berth.up()
    assert.equal(await berth.pid(), pid)
    assert.equal(await startedAt(), before)
  })

  test('down then up adopts running servers untouched', async () => {
    const before = await startedAt()
    await berth.down()
    assert.equal(await startedAt(), before, 'the server goes on while the services are down')
    await berth.up()
    api = await logIn(await berth.openrc())
    assert.equal(await status(), 'ACTIVE')
    assert.equal(await startedAt(), before)
  })

  test('a server that ended while nobody looked runs again, as was wanted', async () => {
    await berth.down()
    const before = await startedAt()
    await berth.docker('kill', `nova-${id}`)
    await berth.up()
    api = await logIn(await berth.openrc())
    await until('started again', 30_000, async () => (await status()) === 'ACTIVE' && (await startedAt()) !== before)
  })

  test('a server whose first process ends under our eyes is SHUTOFF, and starts when told', async () => {
    await berth.docker('kill', `nova-${id}`)
    await until('SHUTOFF', 30_000, async () => (await status()) === 'SHUTOFF')
    assert.equal((await api.call('POST', 'compute', `/servers/${id}/action`, { 'os-start': null })).status, 202)
    await until('ACTIVE', 30_000, async () => (await status()) === 'ACTIVE')
  })

  test('the Engine killed under the cloud comes back, and the servers with it', async () => {
    process.kill(Number((await readFile((await berth.engine()).pid, 'utf8')).trim()), 'SIGKILL')
    await until('a new engine with the server on it', 60_000, async () => {
      const running = await berth.docker('inspect', '-f', '{{.State.Running}}', `nova-${id}`)
      return running.trim() === 'true'
    })
    await until('ACTIVE', 30_000, async () => (await status()) === 'ACTIVE')
    // And it can be acted on: the driver speaks to the new engine, the plug-in is known to it.
    const reboot = { reboot: { type: 'HARD' } }
    assert.equal((await api.call('POST', 'compute', `/servers/${id}/action`, reboot)).status, 202)
    await until('rebooted', 30_000, async () => {
      const { server } = await api.get<Shown>('compute', `/servers/${id}`)
      return server.status === 'ACTIVE' && server['OS-EXT-STS:task_state'] === null
    })
  })
})
