import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseArgs } from 'node:util'
import { logIn, startSimulated } from './cloud.ts'

/**
 * What reads of servers cost however many there are: copies of one server are written straight into the table, one in ten
 * in the caller's project, and each read is timed at each size, one at a time. Flat is the goal.
 */
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000,100000,1000000' },
    times: { type: 'string', default: '50' },
    'port-base': { type: 'string', default: '20000' },
  },
})
const sizes = values.rows.split(',').map(Number)
const times = Number(values.times)
const cloud = await startSimulated({ hosts: '1', portBase: values['port-base'] })
try {
  const { api, endpoint, projectId, close } = await logIn(cloud.stateDir, 1)
  const { images } = await api<{ images: { id: string }[] }>('GET', `${endpoint('image')}/v2/images`)
  const url = `${endpoint('compute')}/servers`
  const server = { name: 'copied', imageRef: images[0]!.id, flavorRef: '1', networks: 'none' }
  const made = await api<{ server: { id: string } }>('POST', url, { server })
  const one = `${url}/${made.server.id}`
  while ((await api<{ server: { status: string } }>('GET', one)).server.status !== 'ACTIVE');

  const table: Record<string, Record<string, number>> = {}
  let there = 1
  for (const size of sizes) {
    fill(made.server.id, there, size)
    there = size
    const { servers } = await api<{ servers: { id: string }[] }>('GET', `${url}?limit=1000`)
    const marker = servers.at(-1)?.id ?? ''
    const reads: Record<string, string> = {
      'show one': one,
      'list 100': `${url}?limit=100`,
      'detail 100': `${url}/detail?limit=100`,
      'detail 100, deep': `${url}/detail?limit=100&marker=${marker}`,
      'list 100, every project': `${url}?all_tenants=1&limit=100`,
      'status=ACTIVE': `${url}?status=ACTIVE&limit=100`,
      'status=ERROR (none)': `${url}?status=ERROR&limit=100`,
      'status=BUILD (none)': `${url}?status=BUILD&limit=100`,
      'name=^copied-7$ (one)': `${url}?name=%5Ecopied-7%24&limit=100`,
      'host=elsewhere': `${url}?all_tenants=1&host=elsewhere&limit=100`,
      'host=sim1 (one)': `${url}?all_tenants=1&host=sim1&limit=100`,
      'changes-since now': `${url}?changes-since=${new Date().toISOString()}&limit=100`,
      'tags=none (none)': `${url}?tags=none&limit=100`,
      'sort by name': `${url}?sort_key=display_name&limit=100`,
      limits: `${endpoint('compute')}/limits`,
    }
    for (const [name, read] of Object.entries(reads)) {
      const taken: number[] = []
      const until = performance.now() + 10_000
      for (let i = 0; i < times && performance.now() < until; i++) {
        const start = performance.now()
        await api('GET', read)
        taken.push(performance.now() - start)
      }
      const p50 = taken.sort((a, b) => a - b)[Math.floor(taken.length / 2)]!
      table[name] = { ...table[name], [size]: Math.round(p50 * 100) / 100 }
    }
  }
  console.log('p50 in ms by number of servers')
  console.table(table)
  await close()

  /** Copies the server until there are so many; on a host of which nothing is heard, so that no loop asks after them. */
  function fill(id: string, from: number, to: number): void {
    const database = new DatabaseSync(join(cloud.stateDir, 'berth.sqlite'))
    database.exec('pragma busy_timeout = 60000; pragma synchronous = off')
    const names = database
      .prepare("select name from pragma_table_info('compute_servers')")
      .all()
      .map((row) => String(row.name))
    const changed: Record<string, string> = {
      id: "printf('%08x-0000-4000-8000-000000000000', n)",
      name: "'copied-' || n",
      host: "'elsewhere'",
      project_id: `case when n % 10 = 0 then '${projectId}' else 'project-' || (n % 1000) end`,
      created_at: "strftime('%Y-%m-%dT%H:%M:%fZ', '2020-01-01', '+' || n || ' seconds')",
      updated_at: "strftime('%Y-%m-%dT%H:%M:%fZ', '2020-01-01', '+' || n || ' seconds')",
    }
    const columns = names.map((name) => changed[name] ?? `"${name}"`).join(', ')
    for (let n = from; n < to; n += 20_000) {
      database.exec(`
        with recursive numbers(n) as (select ${n} union all select n + 1 from numbers where n + 1 < ${Math.min(to, n + 20_000)})
        insert into compute_servers (${names.map((name) => `"${name}"`).join(', ')})
        select ${columns} from numbers, compute_servers where compute_servers.id = '${id}'`)
    }
    database.close()
  }
} finally {
  await cloud.stop()
}
