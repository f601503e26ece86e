import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allows, type Delegation, pathMatches } from './delegation.ts'

const cases: [pattern: string, path: string, matches: boolean][] = [
  ['/v2.1/servers', '/v2.1/servers', true],
  ['/v2.1/servers', '/v2.1/servers/1', false],
  ['/v2.1/servers', '/v2x1/servers', false],
  ['/v2.1/servers/*/ips', '/v2.1/servers/1/ips', true],
  ['/v2.1/servers/*/ips', '/v2.1/servers/1/2/ips', false],
  ['/v2.1/servers/*/ips', '/v2.1/servers//ips', false],
  ['/v2.1/servers/{server_id}', '/v2.1/servers/1', true],
  ['/v2.1/servers/{server_id}', '/v2.1/servers/', false],
  ['/v2.1/s*s', '/v2.1/servers', true],
  ['/v2.1/**', '/v2.1/a/b/c', true],
  ['/v2.1/**', '/v2.1/', true],
  ['/v2.1/**', '/v3/', false],
  ['/**/ips', '/v2.1/servers/1/ips', true],
  [`/${'**a'.repeat(70)}`, `/${'a'.repeat(5000)}b`, false],
]
for (const [pattern, path, matches] of cases)
  test(`${pattern.slice(0, 40)} ${matches ? 'matches' : 'does not match'} ${path.slice(0, 40)}`, () =>
    assert.equal(pathMatches(pattern, path), matches))

test('rules bind service, method and path; nothing behind the path counts', () => {
  const rules = [{ service: 'compute', method: 'GET', path: '/**/ips' }]
  const limited: Delegation = {
    kind: 'application_credential',
    id: 'a',
    name: 'a',
    restricted: true,
    accessRules: rules,
  }
  assert.ok(allows(limited, 'compute', 'GET', '/v2.1/servers/1/ips?x=1'))
  assert.ok(!allows(limited, 'compute', 'POST', '/v2.1/servers/1/ips'))
  assert.ok(!allows(limited, 'image', 'GET', '/v2/ips'))
  assert.ok(!allows(limited, 'compute', 'GET', '/v2.1/servers?/ips'))
  assert.ok(!allows(limited, 'compute', 'GET', '/v2.1/servers#/ips'))
  assert.ok(allows(limited, 'identity', 'GET', '/v3/auth/tokens'))
  assert.ok(!allows({ ...limited, accessRules: [] }, 'compute', 'GET', '/v2.1/servers/1/ips'))
  assert.ok(allows(undefined, 'compute', 'GET', '/v2.1/servers'))
})
