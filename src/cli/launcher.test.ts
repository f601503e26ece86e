import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ensureCloudId, ensureStateDir } from './state.ts'

const launcher = fileURLToPath(new URL('../../berth', import.meta.url))

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'berth-launcher-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}
function berth(args: string[], options: { path?: string; env?: Record<string, string> } = {}) {
  const { PATH = '', HOME = '/root' } = process.env
  const { status, stdout, stderr } = spawnSync(options.path ?? launcher, args, {
    encoding: 'utf8',
    env: { PATH, HOME, ...options.env },
  })
  return { status, stdout, stderr }
}

test('it finds itself through links, from anywhere', (t) => {
  const dir = folder(t)
  mkdirSync(join(dir, 'bin'))
  symlinkSync(launcher, join(dir, 'first'))
  symlinkSync('../first', join(dir, 'bin', 'berth'))
  const { status, stdout } = berth(['version'], { path: join(dir, 'bin', 'berth') })
  assert.equal(status, 0)
  assert.match(stdout, /^berth \d+\.\d+\.\d+ \(Node \d+\./)
})

const said: [string[], number, RegExp][] = [
  [['frobnicate'], 2, /^berth: Unknown verb 'frobnicate'\nusage: berth up\|/],
  [['stauts'], 2, /did you mean status\?/],
  [['up', '--wrong'], 2, /^berth: Unknown option '--wrong'\nusage: berth up \[-d\]/],
  [['down', 'now'], 2, /Unexpected argument 'now'/],
  [['constructor'], 2, /Unknown verb/],
  [['openrc', '--state-dir', '/tmp/berth-none'], 1, /there is no cloud in \/tmp\/berth-none; run: berth up/],
  [['up', '--bind', 'nowhere'], 2, /--bind must be an IP address/],
]
for (const [args, code, message] of said)
  test(`berth ${args.join(' ')}: ${code}, with a reason`, () => {
    const { status, stderr } = berth(args)
    assert.equal(status, code, stderr)
    assert.match(stderr, message)
  })

test('help names every verb, and each verb explains itself', () => {
  const { status, stdout } = berth(['help'])
  assert.equal(status, 0)
  for (const verb of ['up', 'down', 'destroy', 'status', 'openrc', 'doctor', 'test', 'help', 'version'])
    assert.match(stdout, new RegExp(`^  ${verb} `, 'm'))
  assert.match(berth(['up', '--help']).stdout, /--state-dir DIR/)
  assert.match(berth([]).stdout, /usage: berth/)
})

test('where nothing runs, status says so with 3, down with 0, destroy with 0', (t) => {
  const dir = join(folder(t), 'none')
  const status = berth(['status', '--state-dir', dir])
  assert.deepEqual([status.status, status.stdout], [3, `not running (${dir})\n`])
  const json = berth(['status', '--json'], { env: { BERTH_STATE_DIR: dir } })
  assert.deepEqual(JSON.parse(json.stdout), { state: 'not running', stateDir: dir })
  assert.equal(berth(['down', '--state-dir', dir]).status, 0)
  assert.equal(berth(['destroy', '--yes', '--state-dir', dir]).status, 0)
})

test('destroy without --yes removes nothing, and says what it would', (t) => {
  const dir = join(folder(t), 'state')
  ensureStateDir(dir)
  const cloudId = ensureCloudId(dir)
  const { status, stdout } = berth(['destroy', '--state-dir', dir])
  assert.equal(status, 2)
  assert.match(stdout, new RegExp(`would remove cloud ${cloudId}`))
  assert.match(stdout, /berth destroy --yes/)
})

test('up names a port that is taken and its holder, and leaves nothing behind', async (t) => {
  const dir = join(folder(t), 'state')
  const server = createServer().listen(21_700, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => server.close())
  for (const flags of [[], ['-d']]) {
    const { status, stderr } = berth(['up', ...flags, '--state-dir', dir, '--port-base', '16700'])
    assert.equal(status, 1)
    assert.match(stderr, new RegExp(`port 21700 \\(identity\\): taken by process ${process.pid} `))
    const { status: after } = spawnSync('test', ['-e', dir])
    assert.equal(after, 1, 'the state directory is gone again')
  }
})

test('up in a directory of something else touches nothing', (t) => {
  const dir = folder(t)
  writeFileSync(join(dir, 'thesis.txt'), 'years of work')
  const { status, stderr } = berth(['up', '-d', '--state-dir', dir])
  assert.equal(status, 2)
  assert.match(stderr, /holds no cloud, but other things/)
})
