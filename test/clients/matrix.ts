/**
 * `node test/clients/matrix.ts [SERVICE …] [--no-write]`: runs the commands of `matrix/<service>.ts` with the machine's
 * own clients, and writes what they did to `docs/compatibility/<service>.md`. Against the cloud that `OS_AUTH_URL` names,
 * else against one of its own. The exit code is 0 when every expectation held and no command was left out.
 */
import { globSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Berth, newBerth } from '../support/berth.ts'
import { type Driver, startDriver } from './matrix/driver.ts'
import type { CommandList } from './matrix/list.ts'
import { outcomeOf } from './matrix/outcome.ts'
import { commandOf, pageOf } from './matrix/page.ts'

const here = fileURLToPath(new URL('matrix/', import.meta.url))
const pages = fileURLToPath(new URL('../../docs/compatibility/', import.meta.url))
const machinery = ['list', 'driver', 'outcome', 'page']
const services = globSync('*.ts', { cwd: here })
  .map((file) => basename(file, '.ts'))
  .filter((name) => !machinery.includes(name))

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('-'))
const write = !process.argv.includes('--no-write')
/** Beside every other cloud that tests start. */
const portBase = Number(process.env.MATRIX_PORT_BASE ?? 20_900)

let berth: Berth | null = null
let env: Record<string, string> = {}
if (process.env.OS_AUTH_URL === undefined) {
  berth = await newBerth(portBase)
  await berth.up()
  env = await berth.openrc('admin')
}
const driver = startDriver(env)
let problems = 0
try {
  const groups = await commandGroups(driver)
  for (const service of wanted.length > 0 ? wanted : services) {
    const module = (await import(new URL(`matrix/${service}.ts`, import.meta.url).href)) as { list: CommandList }
    problems += await tried(driver, module.list, groups)
  }
} finally {
  driver.close()
  await berth?.destroy()
}
process.exitCode = problems === 0 ? 0 : 1

/** Group of commands → its commands, as the client lists them. */
async function commandGroups(driver: Driver): Promise<Map<string, string[]>> {
  const { stdout, stderr } = await driver.run('openstack', ['command', 'list', '-f', 'json'])
  if (stdout === '') throw new Error(stderr)
  const listed = JSON.parse(stdout) as { 'Command Group': string; Commands: string[] }[]
  return new Map(listed.map((group) => [group['Command Group'], group.Commands]))
}

/** Runs a list to its end, whatever fails on the way; answers how many things were not as expected. */
async function tried(driver: Driver, list: CommandList, groups: Map<string, string[]>): Promise<number> {
  const known = [...groups.values()].flat()
  const run = list.entries.map((entry) => commandOf(entry, known))
  const missing = (list.groups ?? [])
    .flatMap((group) => groups.get(group) ?? [`(no group ${group})`])
    .filter((command) => !run.includes(`openstack ${command}`))
  for (const command of missing) console.log(`✖ ${list.service}: nothing tries openstack ${command}`)
  const dir = await mkdtemp(join(tmpdir(), 'berth-matrix-'))
  const kept = new Map([['DIR', dir]])
  let failed = 0
  try {
    for (const [name, content] of Object.entries(list.files ?? {})) await writeFile(join(dir, name), content)
    for (const entry of list.entries) {
      const problem = await outcomeOf(driver, entry, kept).then(
        (outcome) => outcome.problem,
        (error: unknown) => String(error),
      )
      console.log(`${problem === null ? '✔' : '✖'} ${entry.client ?? 'openstack'} ${entry.run}`)
      if (problem === null) continue
      failed++
      console.log(problem.replace(/^/gm, '    '))
    }
  } finally {
    await rm(dir, { recursive: true })
  }
  console.log(
    `${list.service}: ${list.entries.length} commands run, ${failed} not as expected, ${missing.length} not tried`,
  )
  if (write && failed + missing.length === 0) {
    await mkdir(pages, { recursive: true })
    await writeFile(join(pages, `${list.service}.md`), pageOf(list, known))
  }
  return failed + missing.length
}
