import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readConfig } from './config.ts'
import { settings, variableOf } from './settings.ts'

const folder = (t: { after(f: () => void): void }): string => {
  const path = mkdtempSync(join(tmpdir(), 'berth-config-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

test('without a word from anyone, the fallbacks hold', (t) => {
  const stateDir = folder(t)
  const config = readConfig({ BERTH_STATE_DIR: stateDir })
  assert.equal(config.stateDir, stateDir)
  assert.equal(config.bind, '127.0.0.1')
  assert.equal(config.portBase, 0)
  assert.equal(config.database, 'sqlite')
  assert.equal(config.demo, true)
  assert.equal(config.engineOwn, true)
  assert.equal(config.publicCidr, '198.18.4.0/24')
  assert.deepEqual(config.quotas, { instances: 10, cores: 20, ramMiB: 51200, keyPairs: 100 })
  assert.equal(config.faults, false)
  assert.ok(Object.isFrozen(config))
})

test('the command line comes before the environment, the environment before the file', (t) => {
  const stateDir = folder(t)
  writeFileSync(
    join(stateDir, 'berth.yaml'),
    'bind: 127.0.0.2\nportBase: 100\nregion: File\nquotas:\n  cores: 7\n  ramMiB: 8\n',
  )
  const env = { BERTH_REGION: 'Env', BERTH_PORT_BASE: '200', BERTH_QUOTAS_RAM_MIB: '9', PATH: '/bin' }
  const config = readConfig(env, { stateDir, portBase: '300', demo: false })
  assert.equal(config.bind, '127.0.0.2')
  assert.equal(config.region, 'Env')
  assert.equal(config.portBase, 300)
  assert.equal(config.demo, false)
  assert.deepEqual(config.quotas, { instances: 10, cores: 7, ramMiB: 9, keyPairs: 100 })
})

test('a file named on the command line may say where the state directory is', (t) => {
  const stateDir = folder(t)
  const file = join(stateDir, 'mine.yaml')
  writeFileSync(file, `stateDir: ${stateDir}/there\nengineSocket: /run/docker.sock\n`)
  const config = readConfig({ BERTH_CONFIG: file })
  assert.equal(config.stateDir, join(stateDir, 'there'))
  assert.equal(config.engineOwn, false)
})

const refused: [string, Record<string, string>, string, RegExp][] = [
  ['an unknown key', {}, 'bnid: 127.0.0.1', /berth\.yaml: unknown key bnid; did you mean bind\?/],
  ['an unknown nested key', {}, 'quotas: {core: 1}', /unknown key quotas\.core; did you mean quotas\.cores\?/],
  ['a key far from all others', {}, 'xyzzy: 1', /unknown key xyzzy$/],
  ['an unknown variable', { BERTH_RIGION: 'x' }, '', /unknown variable BERTH_RIGION; did you mean BERTH_REGION\?/],
  ['a number that is none', { BERTH_PORT_BASE: 'many' }, '', /BERTH_PORT_BASE must be a whole number, not "many"/],
  ['half a port', {}, 'portBase: 1.5', /portBase must be a whole number, not 1\.5/],
  ['ports beyond the last', {}, 'portBase: 60000', /portBase must be between 0 and 50000, not 60000/],
  ['a name for an address', {}, 'bind: localhost', /bind must be an IP address/],
  ['a wrong kind', {}, 'region: 7', /region must be text, not 7/],
  ['a word for a boolean', { BERTH_DEMO: 'maybe' }, '', /BERTH_DEMO must be a boolean, not "maybe"/],
  ['an IPv6 public range', {}, 'publicCidr: 2001:db8::/64', /publicCidr must be an IPv4 network/],
  ['no range', {}, 'publicCidr: everywhere', /publicCidr must be a network such as/],
  ['another database', {}, 'database: mysql://root:pw@here/x', /database must be `sqlite` or a postgres:\/\/ address$/],
  ['a log level', {}, 'logLevel: loud', /logLevel must be one of trace, debug/],
  ['no hours', {}, 'tokenHours: 0', /tokenHours must be above 0/],
  ['a list', {}, '- a\n- b', /not valid YAML: it must hold keys and values/],
  ['broken YAML', {}, 'bind: [', /not valid YAML/],
  ['its own place', {}, 'stateDir: /elsewhere', /stateDir cannot be set in its own directory/],
  ['an empty state directory', { BERTH_STATE_DIR: '' }, '', /BERTH_STATE_DIR must be an absolute path/],
]
for (const [name, env, yaml, message] of refused) {
  test(`refused by name: ${name}`, (t) => {
    const stateDir = folder(t)
    writeFileSync(join(stateDir, 'berth.yaml'), yaml)
    const flags = env.BERTH_STATE_DIR === '' ? {} : { stateDir }
    assert.throws(() => readConfig(env, flags), { kind: 'badRequest', message })
  })
}

test('every problem is told at once', (t) => {
  const stateDir = folder(t)
  writeFileSync(join(stateDir, 'berth.yaml'), 'nope: 1\ntokenHours: -1\n')
  assert.throws(
    () => readConfig({ BERTH_X: '1' }, { stateDir, portBase: '-1' }),
    (error: Error) => error.message.split('\n').length === 4 && /--port-base must be between/.test(error.message),
  )
})

test('a file asked for by name must be there', () => {
  assert.throws(() => readConfig({}, { config: '/nowhere/berth.yaml' }), { message: /cannot read \/nowhere/ })
})

test('a state directory too deep for sockets is refused, not cut off', () => {
  assert.throws(() => readConfig({}, { stateDir: `/tmp/${'x'.repeat(100)}` }), { message: /at most 90 bytes/ })
})

test('the reference for operators has every key, its variable and its fallback', () => {
  const text = readFileSync(new URL('../docs/operators/configuration.md', import.meta.url), 'utf8')
  for (const { key, fallback } of settings({ stateDir: '/var/lib/berth', hostname: 'HOST' })) {
    const row = text.split('\n').find((line) => line.startsWith(`| \`${key}\` `))
    assert.ok(row, `${key} is missing`)
    assert.ok(row.includes(`\`${variableOf(key)}\``), `${key}: its variable is ${variableOf(key)}`)
    if (fallback !== null && fallback !== '' && fallback !== 'HOST')
      assert.ok(row.includes(`\`${fallback}\``), `${key}: its fallback is ${fallback}`)
  }
})
