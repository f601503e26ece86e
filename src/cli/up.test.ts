import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { findPid, statePaths } from './state.ts'

const launcher = fileURLToPath(new URL('../../berth', import.meta.url))

test('from nothing to a running cloud, a second up, a stop, a start that takes over, and nothing left', (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'berth-up-'))
  const dir = join(parent, 'state')
  const { PATH = '', HOME = '/root' } = process.env
  const berth = (...args: string[]) =>
    spawnSync(launcher, [...args, '--state-dir', dir], { encoding: 'utf8', env: { PATH, HOME } })
  t.after(() => {
    berth('destroy', '--yes')
    rmSync(parent, { recursive: true, force: true })
  })

  const up = berth('up', '-d', '--port-base', '16800')
  assert.equal(up.status, 0, up.stderr)
  assert.match(up.stdout, /^ +\d+\.\d\d s {2}engine: Docker /m)
  assert.match(up.stdout, /^ {2}identity +http:\/\/127\.0\.0\.1:21800$/m)
  assert.match(up.stdout, /^ {2}first server +first ACTIVE 10\./m)
  const summary = up.stdout.slice(up.stdout.indexOf('\nBerth '))
  assert.match(summary, new RegExp(`source <\\(.*/berth openrc --state-dir ${dir}\\)`))
  for (const path of [statePaths(dir).clouds, statePaths(dir).secrets, statePaths(dir).control])
    assert.equal(statSync(path).mode & 0o777, 0o600)
  const pid = findPid(dir)
  assert.ok(pid)

  const again = berth('up', '-d', '--port-base', '16800')
  assert.deepEqual([again.status, again.stdout], [0, summary], 'a second up changes nothing and says the same')
  assert.equal(findPid(dir), pid)

  const status = JSON.parse(berth('status', '--json').stdout) as {
    pid: number
    hosts: { role: string; up: boolean }[]
    loops: { name: string }[]
  }
  assert.equal(status.pid, pid)
  assert.deepEqual(status.hosts.map(({ role, up }) => [role, up]).sort(), [
    ['compute', true],
    ['network', true],
  ])
  assert.ok(status.loops.some(({ name }) => name === 'compute.servers'))

  const secrets = JSON.parse(readFileSync(statePaths(dir).secrets, 'utf8')) as { demoPassword: string }
  assert.match(berth('openrc', 'demo').stdout, new RegExp(`^export OS_PASSWORD='${secrets.demoPassword}'$`, 'm'))

  const cloudId = readFileSync(statePaths(dir).cloudId, 'utf8').trim()
  const engine = readFileSync(`/run/berth/${cloudId}/docker.pid`, 'utf8')
  assert.equal(berth('down').status, 0)
  assert.equal(berth('status').status, 3)
  assert.equal(readFileSync(`/run/berth/${cloudId}/docker.pid`, 'utf8'), engine, 'the engine goes on')

  const back = berth('up', '-d', '--port-base', '16800')
  assert.match(back.stdout, /\(runs already\)/)
  assert.equal(back.stdout.slice(back.stdout.indexOf('\nBerth ')), summary)

  const destroyed = berth('destroy', '--yes')
  assert.equal(destroyed.status, 0, destroyed.stderr)
  assert.equal(existsSync(dir), false)
  assert.equal(existsSync(`/run/berth/${cloudId}`), false)
  assert.equal(findPid(dir), undefined)
  const links = spawnSync('ip', ['-details', 'link', 'show'], { encoding: 'utf8' }).stdout
  assert.equal(links.includes(`berth:${cloudId}`), false)
  assert.equal(berth('destroy', '--yes').status, 0, 'again, with nothing left to do')
})
