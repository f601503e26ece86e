import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { unmountBelow } from '../../src/cli/own-engine.ts'
import { childrenOf, end, findProcesses, signal } from '../../src/cli/processes.ts'
import { removeEverything } from '../../src/services/network/index.ts'
import { type Api, logIn, until } from '../support/api.ts'
import { type Berth, newBerth } from '../support/berth.ts'

interface Shown {
  server: { id: string; status: string; addresses: Record<string, { addr: string }[]> }
}

/** A paused one is frozen, and does not even die before it is thawed. */
async function dropCgroups(id: string): Promise<void> {
  const groups = [...globSync(`/sys/fs/cgroup/*/docker/${id}`), ...globSync(`/sys/fs/cgroup/docker/${id}`)]
  for (const group of groups) {
    if (existsSync(join(group, 'freezer.state'))) writeFileSync(join(group, 'freezer.state'), 'THAWED')
    if (existsSync(join(group, 'cgroup.freeze'))) writeFileSync(join(group, 'cgroup.freeze'), '0')
  }
  for (const group of groups) {
    const gone = async () => {
      const pids = readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
      for (const pid of pids) signal(pid, 'SIGKILL')
      if (pids.length > 0) return false
      rmdirSync(group)
      return true
    }
    await until(`${group} is empty`, 10_000, gone)
  }
}

/** What a reset of the machine does to a cloud: every process ends at once; mounts, namespaces, links, rules and /run are gone. */
async function pullThePlug(berth: Berth): Promise<void> {
  const engine = await berth.engine()
  const containers = (await berth.docker('ps', '-aq', '--no-trunc')).split('\n').filter(Boolean)
  signal(await berth.pid(), 'SIGKILL')
  signal(Number((await readFile(engine.pid, 'utf8')).trim()), 'SIGKILL')
  const kept = (words: readonly string[]) => words.some((word) => word.startsWith(engine.exec))
  for (const left of findProcesses(kept)) {
    for (const child of childrenOf(left)) signal(child, 'SIGKILL')
    await end(left, 0)
  }
  for (const id of containers) await dropCgroups(id)
  await unmountBelow(engine.run)
  await rm(engine.run, { recursive: true, force: true })
  const cloudId = (await readFile(join(berth.stateDir, 'cloud-id'), 'utf8')).trim()
  await removeEverything(cloudId, { stateDir: berth.stateDir })
}

describe('the machine is reset', { concurrency: 1 }, () => {
  let berth: Berth
  let api: Api
  before(async () => {
    berth = await newBerth(20_700)
    await berth.up()
    api = await logIn(await berth.openrc())
  })
  after(async () => {
    await berth?.destroy()
  })

  const microversion = { 'openstack-api-version': 'compute 2.93' }
  const show = async (id: string) => (await api.get<Shown>('compute', `/servers/${id}`)).server
  const reach = (id: string, status: string) =>
    until(`${id} is ${status}`, 60_000, async () => (await show(id)).status === status)

  test('servers come back as they were wanted, with their addresses and what they wrote', async () => {
    const { servers } = await api.get<{ servers: { id: string }[] }>('compute', '/servers')
    const runs = servers[0]!.id
    const { images } = await api.get<{ images: { id: string }[] }>('image', '/images')
    const make = async (name: string) => {
      const wanted = { name, imageRef: images[0]!.id, flavorRef: '1', networks: 'none' }
      const answer = await api.call('POST', 'compute', '/servers', { server: wanted }, microversion)
      assert.equal(answer.status, 202, JSON.stringify(answer))
      const { id } = (answer.body as Shown).server
      await reach(id, 'ACTIVE')
      return id
    }
    const [stopped, paused] = [await make('stopped'), await make('paused')]
    await api.call('POST', 'compute', `/servers/${stopped}/action`, { 'os-stop': null })
    await api.call('POST', 'compute', `/servers/${paused}/action`, { pause: null })
    await reach(stopped, 'SHUTOFF')
    await reach(paused, 'PAUSED')
    await berth.docker('exec', `nova-${runs}`, 'sh', '-c', 'echo kept > /root/file; sync')
    const { addresses } = await show(runs)
    const [address] = Object.values(addresses).flat()
    assert.ok(address)

    await pullThePlug(berth)
    await berth.up()
    api = await logIn(await berth.openrc())
    const running = async (id: string) =>
      (await berth.docker('inspect', '-f', '{{.State.Status}}', `nova-${id}`)).trim()
    await until('it runs', 60_000, async () => (await running(runs)) === 'running')
    await reach(runs, 'ACTIVE')
    await until('it is paused', 60_000, async () => (await running(paused)) === 'paused')
    await reach(paused, 'PAUSED')
    assert.equal((await show(stopped)).status, 'SHUTOFF')
    assert.equal(await running(stopped), 'exited')
    assert.deepEqual((await show(runs)).addresses, addresses)
    assert.equal((await berth.docker('exec', `nova-${runs}`, 'cat', '/root/file')).trim(), 'kept')
    assert.match(await berth.docker('exec', `nova-${runs}`, 'ip', 'addr'), new RegExp(`inet ${address.addr}/`))
  })
})
