import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { busyboxArchive } from '../../src/seed/busybox.ts'
import { type Api, logIn, until } from '../support/api.ts'
import { type Berth, newBerth, run } from '../support/berth.ts'

/**
 * Kills the process with SIGKILL at every fault point that the code names, in the middle of the operation that passes
 * it, starts it again, and demands that nothing hangs and nothing is left over.
 */
interface Server {
  id: string
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

/** Passed by what a push, a router, an import or a collection does, and killed there by the tests beside them. */
const elsewhere = /^(registry|network\.router|image\.(import|stage))\./

/** Every other `faultPoint('…')` in the source: a new one is tested without a word here. */
async function faultPoints(): Promise<string[]> {
  const files = (await readdir(source, { recursive: true })).filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts'))
  const texts = await Promise.all(files.map((f) => readFile(join(source, f), 'utf8')))
  const points = texts.flatMap((text) => [...text.matchAll(/faultPoint\('([\w.-]+)'\)/g)].map((m) => m[1] ?? ''))
  return [...new Set(points)].filter((point) => !elsewhere.test(point)).sort()
}

/** The operation that passes a fault point, by the point's name. */
function operationOf(point: string): 'create' | 'delete' | 'reboot' | 'snapshot' | 'upload' | 'image-delete' {
  if (/\.action\./.test(point)) return 'reboot'
  if (/^image\.upload/.test(point)) return 'upload'
  if (/^image\.delete/.test(point)) return 'image-delete'
  if (/snapshot/.test(point)) return 'snapshot'
  if (/delete|unplug/.test(point)) return 'delete'
  return 'create'
}

describe('a process killed anywhere', { concurrency: 1 }, async () => {
  let berth: Berth
  let api: Api
  let imageId = ''
  let networkId = ''

  before(async () => {
    berth = await newBerth(20_100)
    await berth.up()
    await refresh()
    imageId = (await api.get<{ images: { id: string; name: string }[] }>('image', '/images')).images[0]?.id ?? ''
    networkId = await network()
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
  const settled = () =>
    until('every server ACTIVE, gone, or in ERROR with a fault', 60_000, async () => {
      const open = (await servers()).filter(
        (s) =>
          s['OS-EXT-STS:task_state'] !== null ||
          !(s.status === 'ACTIVE' || (s.status === 'ERROR' && s.fault !== undefined)),
      )
      return open.length === 0
    })
  async function upload(): Promise<void> {
    const image = { name: 'crash', container_format: 'docker', disk_format: 'raw' }
    const made = await api.call<{ id: string }>('POST', 'image', '/images', image)
    const type = { 'content-type': 'application/octet-stream' }
    await api.call('PUT', 'image', `/images/${made.body.id}/file`, await busyboxArchive(), type)
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
    for (const name of names) if (!all.has(name.replace('nova-', ''))) found.push(`container ${name}`)
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

  for (const point of await faultPoints()) {
    const operation = operationOf(point)
    test(`at ${point} (${operation})`, async () => {
      const prepared = ['delete', 'snapshot', 'reboot'].includes(operation) ? await create('victim') : null
      if (prepared) await settled()
      if (operation === 'image-delete') await upload()
      await berth.down()
      await berth.up({ BERTH_FAULT: point })
      const pid = await berth.pid()
      // The answer may or may not come: the process dies somewhere on the way.
      const act = async (): Promise<unknown> => {
        switch (operation) {
          case 'create':
            return create('victim')
          case 'delete':
            return api.call('DELETE', 'compute', `/servers/${prepared}`)
          case 'reboot':
            return api.call('POST', 'compute', `/servers/${prepared}/action`, { reboot: { type: 'HARD' } })
          case 'snapshot':
            return api.call('POST', 'compute', `/servers/${prepared}/action`, { createImage: { name: 'crash' } })
          case 'upload':
            return upload()
          case 'image-delete':
            for (const { id, name } of await images()) {
              if (name === 'crash') await api.call('DELETE', 'image', `/images/${id}`)
            }
        }
      }
      // Or even before: some points are passed by what a start itself brings in order.
      await refresh()
        .then(act)
        .catch(() => {})
      await died(pid)
      await berth.up()
      await refresh()
      await settled()
      await until('no image between states', 60_000, async () =>
        (await images()).every((i) => i.status === 'active' || (i.status === 'queued' && operation === 'upload')),
      )
      for (const { id, name } of await images()) {
        if (name === 'crash') assert.equal((await api.call('DELETE', 'image', `/images/${id}`)).status, 204)
      }
      let last: string[] = []
      await until('nothing left over', 60_000, async () => {
        last = await leftovers()
        return last.length === 0
      }).catch((error) => assert.fail(`${error}: ${last.join(', ')}`))
      for (const { id } of await servers()) await api.call('DELETE', 'compute', `/servers/${id}`)
      await until('the servers gone', 60_000, async () => (await servers()).length === 0)
      assert.deepEqual(await leftovers(), [])
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
