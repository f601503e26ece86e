import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { askControl } from '../../src/cli/control-socket.ts'
import type { FaultOrder } from '../../src/cli/fault-answers.ts'
import { busyboxArchive } from '../../src/seed/busybox.ts'
import { type Api, logIn, until } from '../support/api.ts'
import { type Berth, newBerth, run } from '../support/berth.ts'

/**
 * Kills the process, and then the engine, with SIGKILL at every fault point that the code names, in the middle of the
 * operation that passes it, and demands that afterwards nothing hangs and nothing is left over. A point is armed only
 * when the cloud is at rest, so that it is the operation itself that dies there, and not what a start brings in order.
 */
interface Server {
  id: string
  name: string
  status: string
  'OS-EXT-STS:task_state': string | null
  fault?: { message: string }
}
interface Port {
  id: string
  device_id: string
  device_owner: string
}

const source = fileURLToPath(new URL('../../src', import.meta.url))

/** Passed by what a push, a router, an import, a collection or a move of the engine's data does, and killed there by the tests beside them. */
const elsewhere = /^(engine|registry|network\.router|image\.(import|stage))\./

/** Every other `faultPoint('…')` in the source: a new one is tested without a word here. */
async function faultPoints(): Promise<string[]> {
  const files = (await readdir(source, { recursive: true })).filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts'))
  const texts = await Promise.all(files.map((f) => readFile(join(source, f), 'utf8')))
  const points = texts.flatMap((text) => [...text.matchAll(/faultPoint\('([\w.-]+)'\)/g)].map((m) => m[1] ?? ''))
  return [...new Set(points)].filter((point) => !elsewhere.test(point)).sort()
}

type Operation =
  | 'create'
  | 'delete'
  | 'reboot'
  | 'snapshot'
  | 'upload'
  | 'image-delete'
  | 'attach'
  | 'detach'
  | 'rescue'
  | 'unrescue'

/** The operation that passes a fault point, by the point's name. */
function operationOf(point: string): Operation {
  if (/\.action\./.test(point)) return 'reboot'
  if (/attach|interface/.test(point)) return 'attach'
  if (/detach/.test(point)) return 'detach'
  if (/rescue/.test(point)) return /ended/.test(point) ? 'unrescue' : 'rescue'
  if (/^image\.upload/.test(point)) return 'upload'
  if (/^image\.delete/.test(point)) return 'image-delete'
  if (/snapshot/.test(point)) return 'snapshot'
  if (/delete|unplug/.test(point)) return 'delete'
  return 'create'
}

describe('killed anywhere', { concurrency: 1 }, async () => {
  let berth: Berth
  let api: Api
  let imageId = ''
  let networkId = ''

  before(async () => {
    berth = await newBerth(20_100, { BERTH_FAULTS: 'true' })
    await berth.up()
    await refresh()
    imageId = (await api.get<{ images: { id: string; name: string }[] }>('image', '/images')).images[0]?.id ?? ''
    networkId = await network()
    await clear()
  })
  after(async () => {
    await berth?.destroy()
  })

  async function refresh(): Promise<void> {
    api = await logIn(await berth.openrc())
  }
  async function network(): Promise<string> {
    const { networks } = await api.get<{ networks: { id: string; name: string }[] }>(
      'network',
      '/networks?name=private',
    )
    return networks.at(0)?.id ?? ''
  }
  const servers = async () => (await api.get<{ servers: Server[] }>('compute', '/servers/detail')).servers
  const images = async () =>
    (await api.get<{ images: { id: string; status: string; name: string }[] }>('image', '/images')).images

  async function create(name: string): Promise<string> {
    const body = { server: { name, imageRef: imageId, flavorRef: '1', networks: [{ uuid: networkId }] } }
    const made = await api.call<{ server: { id: string } }>('POST', 'compute', '/servers', body)
    assert.equal(made.status, 202, JSON.stringify(made.body))
    return made.body.server.id
  }
  const interfaces = async (id: string | null) => {
    const path = `/servers/${id}/os-interface`
    return (await api.get<{ interfaceAttachments: { port_id: string }[] }>('compute', path)).interfaceAttachments
  }
  async function upload(): Promise<number> {
    const image = { name: 'crash', container_format: 'docker', disk_format: 'raw' }
    const made = await api.call<{ id: string }>('POST', 'image', '/images', image)
    const type = { 'content-type': 'application/octet-stream' }
    return (await api.call('PUT', 'image', `/images/${made.body.id}/file`, await busyboxArchive(), type)).status
  }
  const died = (pid: number) =>
    until(`the process to die`, 30_000, async () => {
      try {
        process.kill(pid, 0)
        return false
      } catch {
        return true
      }
    })

  /** What is on the machine or in the tables that no server, port or image accounts for. */
  async function leftovers(): Promise<string[]> {
    const found: string[] = []
    const wanted = new Set((await servers()).filter((s) => s.status !== 'ERROR').map((s) => s.id))
    const all = new Set((await servers()).map((s) => s.id))
    const names = (await berth.docker('ps', '-a', '--format', '{{.Names}}')).split('\n').filter(Boolean)
    for (const name of names)
      if (!all.has(name.replace('nova-', '').replace('-rescue', ''))) found.push(`container ${name}`)
    for (const id of wanted) if (!names.includes(`nova-${id}`)) found.push(`missing container ${id}`)
    const { ports } = await api.get<{ ports: Port[] }>('network', '/ports')
    for (const port of ports) {
      const ofRouter = port.device_owner.startsWith('network:') // the seeded ones', which stay
      if (!ofRouter && !all.has(port.device_id)) found.push(`port ${port.id} of ${port.device_id}`)
    }
    const { networks } = await api.get<{ networks: { id: string }[] }>('network', '/networks')
    const known = new Set(networks.map((n) => `qnet-${n.id}`))
    const namespaces = (await run('ip', ['-o', 'netns', 'list'])).stdout.split('\n').map((l) => l.split(' ')[0] ?? '')
    const mine = namespaces.filter((n) => known.has(n))
    // A veth is gone with either end, so the ends on the bridges tell of all.
    const taps = new Set<string>()
    for (const namespace of mine) {
      const links = (await run('ip', ['-n', namespace, '-o', 'link'])).stdout
      for (const [, tap] of links.matchAll(/(tap[0-9a-f-]+)[@:]/g)) taps.add(tap ?? '')
    }
    const portTaps = new Set(ports.map((p) => `tap${p.id.slice(0, 11)}`))
    for (const tap of taps) if (!portTaps.has(tap)) found.push(`veth ${tap}`)
    return [...found, ...(await unaccounted(berth))]
  }

  const arm = (order: FaultOrder) => askControl(berth.stateDir, 'arm-fault', order)
  const isArmed = async () => {
    const said = await askControl<{ armed: boolean }>(berth.stateDir, 'fault-armed')
    return said.state !== 'up' || said.answer.armed
  }

  /** Begins the operation on `victim`; resolves with the status of the answer. */
  async function act(operation: Operation, victim: string | null): Promise<number> {
    const action = async (body: object) => (await api.call('POST', 'compute', `/servers/${victim}/action`, body)).status
    switch (operation) {
      case 'create':
        await create('victim')
        return 202
      case 'delete':
        return (await api.call('DELETE', 'compute', `/servers/${victim}`)).status
      case 'reboot':
        return action({ reboot: { type: 'HARD' } })
      case 'snapshot':
        return action({ createImage: { name: 'crash' } })
      case 'attach': {
        const body = { interfaceAttachment: { net_id: networkId } }
        return (await api.call('POST', 'compute', `/servers/${victim}/os-interface`, body)).status
      }
      case 'detach': {
        const [nic] = await interfaces(victim)
        return (await api.call('DELETE', 'compute', `/servers/${victim}/os-interface/${nic?.port_id}`)).status
      }
      case 'rescue':
        return action({ rescue: null })
      case 'unrescue':
        return action({ unrescue: null })
      case 'upload':
        return upload()
      case 'image-delete': {
        const image = (await images()).find(({ name }) => name === 'crash')
        return (await api.call('DELETE', 'image', `/images/${image?.id}`)).status
      }
    }
  }

  /** What the operation was about is there, or gone, as its answer promised or would have. */
  async function carriedOut(operation: Operation, victim: string | null): Promise<void> {
    const named = (await servers()).filter(({ name }) => name === 'victim')
    const crash = (await images()).filter(({ name }) => name === 'crash')
    if (operation === 'create') assert.equal(named.length, 1, 'the server was asked for, and is there')
    if (operation === 'delete') assert.equal(named.length, 0, 'the server was to go, and is gone')
    const status = named.find(({ id }) => id === victim)?.status
    if (operation === 'attach') assert.equal((await interfaces(victim)).length, 2, 'a NIC was asked for, and is there')
    if (operation === 'detach') assert.equal((await interfaces(victim)).length, 0, 'the NIC was to go, and is gone')
    if (operation === 'rescue') assert.equal(status, 'RESCUE')
    if (operation === 'unrescue') assert.equal(status, 'ACTIVE')
    if (operation === 'reboot') assert.equal(named.find(({ id }) => id === victim)?.status, 'ACTIVE')
    // An image whose bytes never came is for its owner to fill or delete.
    if (operation === 'upload') assert.equal(crash.length, 1, 'the image was made, and is there')
    if (operation === 'image-delete') assert.equal(crash.length, 0, 'the image was to go, and is gone')
  }

  async function atRest(): Promise<void> {
    await until('the servers at rest', 60_000, async () => {
      const open = (await servers()).filter(
        (s) =>
          s['OS-EXT-STS:task_state'] !== null ||
          !(s.status === 'ACTIVE' || s.status === 'RESCUE' || (s.status === 'ERROR' && s.fault !== undefined)),
      )
      return open.length === 0
    })
    await until('no image between states', 60_000, async () =>
      (await images()).every(({ status, name }) => status === 'active' || (status === 'queued' && name === 'crash')),
    )
  }

  async function nothingLeft(): Promise<void> {
    let last: string[] = []
    await until('nothing left over', 60_000, async () => {
      last = await leftovers()
      return last.length === 0
    }).catch((error) => assert.fail(`${error}: ${last.join(', ')}`))
  }

  async function clear(): Promise<void> {
    for (const { id, name } of await images()) {
      if (name === 'crash') assert.equal((await api.call('DELETE', 'image', `/images/${id}`)).status, 204)
    }
    for (const { id } of await servers()) await api.call('DELETE', 'compute', `/servers/${id}`)
    await until('the servers gone', 60_000, async () => (await servers()).length === 0)
    await nothingLeft()
  }

  /** NICs come and go without a state that tells. */
  async function inTime(holds: () => Promise<void>): Promise<void> {
    await until('what was asked for', 60_000, () => holds().then(() => true)).catch((error: Error) => {
      throw error.cause ?? error
    })
  }

  async function prepare(operation: Operation): Promise<string | null> {
    await clear() // whatever a test before left when it failed
    const made = !['create', 'upload', 'image-delete'].includes(operation)
    const prepared = made ? await create('victim') : null
    if (operation === 'unrescue') {
      await atRest()
      await act('rescue', prepared)
    }
    if (operation === 'image-delete') await upload()
    await atRest()
    return prepared
  }

  for (const point of await faultPoints()) {
    const operation = operationOf(point)

    test(`the process at ${point} (${operation})`, async () => {
      const victim = await prepare(operation)
      const pid = await berth.pid()
      await arm({ point, victim: 'process' })
      await act(operation, victim).catch(() => {}) // the answer may or may not come
      await died(pid)
      await berth.up()
      await refresh()
      await atRest()
      await inTime(() => carriedOut(operation, victim))
      await nothingLeft()
      await clear()
    })

    // An image is nothing to the engine.
    if (operation === 'upload' || operation === 'image-delete') continue
    test(`the engine at ${point} (${operation})`, async () => {
      const victim = await prepare(operation)
      const engine = Number(await readFile((await berth.engine()).pid, 'utf8'))
      await arm({ point, victim: 'engine' })
      const status = await act(operation, victim)
      assert.ok(status < 300, `${status}`)
      await until('the point', 30_000, async () => !(await isArmed()))
      await until('another engine', 30_000, async () => {
        const pid = Number(await readFile((await berth.engine()).pid, 'utf8'))
        return pid !== engine && (await berth.docker('ps', '-q')) !== null
      })
      await atRest()
      await inTime(() => carriedOut(operation, victim))
      await nothingLeft()
      await clear()
    })
  }
})

/** Rows that nothing accounts for, read from the database itself. */
async function unaccounted(berth: Berth): Promise<string[]> {
  const db = new DatabaseSync(join(berth.stateDir, 'berth.sqlite'), { readOnly: true })
  try {
    const rows = db
      .prepare(
        `select a.consumer_id as id from placement_allocations a
         where not exists (select 1 from compute_servers s where s.id = a.consumer_id and s.deleted_at is null)`,
      )
      .all() as { id: string }[]
    return rows.map(({ id }) => `allocation of ${id}`)
  } finally {
    db.close()
  }
}
