import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { readConfig } from '../config.ts'
import { writeCredentials } from './credentials.ts'
import { statePaths } from './state.ts'

test('what a shell and a client read is what was meant, whatever is in a password', (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'berth-credentials-'))
  t.after(() => rmSync(stateDir, { recursive: true }))
  const config = readConfig({}, { stateDir, portBase: '100' })
  const adminPassword = `a'b"c$d \`e\` \\`
  writeCredentials(config, { adminPassword, demoPassword: 'yes', metadataSecret: 'm', busSecret: 'b' })
  const paths = statePaths(stateDir)

  const script = '. "$1"; printf "%s\\n" "$OS_PASSWORD" "$OS_AUTH_URL" "$OS_PROJECT_NAME"'
  const said = execFileSync('sh', ['-ec', script, 'sh', paths.openrc('admin')], { encoding: 'utf8' })
  assert.deepEqual(said.trimEnd().split('\n'), [adminPassword, 'http://127.0.0.1:5100/v3', 'admin'])

  const { clouds } = parse(readFileSync(paths.clouds, 'utf8')) as {
    clouds: Record<string, { auth: Record<string, string>; region_name: string }>
  }
  assert.deepEqual(Object.keys(clouds), ['berth', 'berth-demo'])
  assert.equal(clouds.berth?.auth.password, adminPassword)
  assert.equal(clouds['berth-demo']?.auth.project_name, 'demo')
  assert.equal(clouds.berth?.region_name, 'RegionOne')
  for (const path of [paths.clouds, paths.openrc('admin'), paths.openrc('demo')])
    assert.equal(statSync(path).mode & 0o777, 0o600)
})
