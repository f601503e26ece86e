import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemContext } from './context.ts'
import { createPolicy } from './policy-engine.ts'

const policy = createPolicy([
  {
    admin: 'role:admin',
    owner: 'project_id:%(project_id)s',
    get: 'rule:admin or (role:reader and rule:owner)',
    never: 'not rule:get and !',
    shared: 'field:networks:shared=True',
  },
])
const reader = { ...systemContext('req-1', { id: 'p1', domainId: 'default' }), roles: ['reader'], isAdmin: false }

test('an explanation says what every part of the rule said', () => {
  const told = policy.explain('get', reader, { project_id: 'p2' })
  assert.equal(told.allowed, false)
  const [either] = told.parts
  assert.deepEqual(
    either?.parts.map(({ text, allowed }) => [text, allowed]),
    [
      ['rule:admin', false],
      ['and', false],
    ],
  )
  const [asReader, asOwner] = either?.parts[1]?.parts ?? []
  assert.deepEqual([asReader?.text, asReader?.allowed], ['role:reader', true])
  assert.equal(asOwner?.parts[0]?.because, "the caller's project_id: p1; the target's project_id: p2")
})

test('it never says other than the verdict', () => {
  for (const rule of ['admin', 'owner', 'get', 'never', 'shared'])
    for (const roles of [[], ['reader'], ['admin']])
      for (const target of [{}, { project_id: 'p1' }, { project_id: 'p2', shared: true }]) {
        const ctx = { ...reader, roles }
        assert.equal(policy.explain(rule, ctx, target).allowed, policy.check(rule, ctx, target), `${rule} ${roles}`)
      }
})

test('a rule that is not there is named', () => {
  assert.throws(() => policy.explain('nope', reader, {}), /There is no policy rule "nope"/)
})

test('it says which default granted, and that the scope did not fit', () => {
  const rules = { list: { check: 'system_scope:all', scopeTypes: ['system'], deprecated: 'role:admin' } } as const
  const switches = { enforceScope: false, enforceNewDefaults: false, adminProject: '' }
  const admin = { ...reader, roles: ['admin'] }
  const told = createPolicy([rules], {}, switches).explain('list', admin, {})
  assert.deepEqual(
    [told, ...told.parts].map(({ text, allowed }) => [text, allowed]),
    [
      ['rule:list', true],
      ['the default', false],
      ['the deprecated default (in force until enforceNewDefaults)', true],
    ],
  )
  const strict = createPolicy([rules], {}, { ...switches, enforceScope: true }).explain('list', admin, {})
  assert.equal(strict.allowed, false)
  assert.deepEqual(strict.parts[0], {
    ...{ text: 'scope is one of system', allowed: false, because: "the token's scope: project", parts: [] },
  })
})
