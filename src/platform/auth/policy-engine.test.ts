import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Context, systemContext } from './context.ts'
import { scoped } from './policy.ts'
import { checkOverrides, createPolicy, readOverrides } from './policy-engine.ts'

const alice: Context = {
  ...systemContext('req-1'),
  userId: 'alice',
  userDomainId: 'd1',
  projectId: 'p1',
  projectDomainId: 'd1',
  system: false,
  roles: ['member', 'Reader'],
  isAdmin: false,
}
const operator: Context = {
  ...alice,
  userId: 'op',
  projectId: null,
  projectDomainId: null,
  system: true,
  isAdmin: true,
}

const cases: [check: string, ctx: Context, target: Record<string, unknown>, verdict: boolean][] = [
  ['', alice, {}, true],
  ['@', alice, {}, true],
  ['!', alice, {}, false],
  ['role:member', alice, {}, true],
  ['role:MEMBER', alice, {}, true],
  ['role:reader', alice, {}, true],
  ['role:admin', alice, {}, false],
  ['role:%(needed)s', alice, { needed: 'member' }, true],
  ['role:%(needed)s', alice, {}, false],
  ['not role:admin', alice, {}, true],
  ['not not role:admin', alice, {}, false],
  ['! or @ and !', alice, {}, false],
  ['@ or ! and !', alice, {}, true], // `and` binds tighter
  ['(@ or !) and !', alice, {}, false],
  ['! and ! or @', alice, {}, true],
  ['not ! and @', alice, {}, true],
  ['not (@ and @)', alice, {}, false],
  ['((@))', alice, {}, true],
  ['@ AND NOT !', alice, {}, true],
  ['project_id:%(project_id)s', alice, { project_id: 'p1' }, true],
  ['project_id:%(project_id)s', alice, { project_id: 'p2' }, false],
  ['project_id:%(project_id)s', alice, {}, false],
  ['(role:member and project_id:%(project_id)s)', alice, { project_id: 'p1' }, true],
  ['tenant_id:%(tenant_id)s', alice, { tenant_id: 'p1' }, true],
  ['user_id:%(target.user.id)s', alice, { 'target.user.id': 'alice' }, true],
  ['user_id:alice', alice, {}, true],
  ['user_id:%(prefix)sice', alice, { prefix: 'al' }, true],
  ['user_id:%(prefix)sice', alice, {}, false],
  ['roles:member', alice, {}, true],
  ["'public':%(visibility)s", alice, { visibility: 'public' }, true],
  ['"public":%(visibility)s', alice, { visibility: 'private' }, false],
  ["'two words':%(visibility)s", alice, { visibility: 'two words' }, true],
  ['True:%(enabled)s', alice, { enabled: true }, true],
  ['True:%(enabled)s', alice, { enabled: false }, false],
  ['False:%(enabled)s', alice, { enabled: false }, true],
  ['None:%(target.role.domain_id)s', alice, { 'target.role.domain_id': null }, true],
  ['None:%(target.role.domain_id)s', alice, { 'target.role.domain_id': 'd1' }, false],
  ['None:%(target.role.domain_id)s', alice, {}, false],
  ['7:%(level)s', alice, { level: 7 }, true],
  ['is_admin:True', alice, {}, false],
  ['is_admin:True', operator, {}, true],
  ['is_admin:False', alice, {}, true],
  ['system_scope:all', operator, {}, true],
  ['system_scope:all', alice, {}, false],
  ['domain_id:%(domain_id)s', alice, { domain_id: null }, false], // what a token lacks matches nothing, not even null
  ['project_id:None', operator, {}, true],
  ['not project_id:None', alice, {}, true],
  ["'a':a", alice, {}, true],
  ["'a':b", alice, {}, false],
  ['token.project.domain.id:%(target.domain.id)s', alice, { 'target.domain.id': 'd1' }, true],
  ['token.domain.id:%(target.domain.id)s', alice, { 'target.domain.id': 'd1' }, false],
  ['no_such_attribute:x', alice, {}, false],
  ['field:networks:shared=True', alice, { shared: true }, true],
  ['field:networks:shared=True', alice, {}, false],
  ['field:networks:router:external=True', alice, { 'router:external': true }, true],
  ['field:port:device_owner=~^network:', alice, { device_owner: 'network:dhcp' }, true],
  ['field:port:device_owner=~^network:', alice, { device_owner: 'compute:x' }, false],
]

for (const [check, ctx, target, verdict] of cases)
  test(`"${check}" is ${verdict} for ${ctx.userId} on ${JSON.stringify(target)}`, () => {
    assert.equal(createPolicy([{ r: check }]).check('r', ctx, target), verdict)
  })

test('rules refer to each other, in any order, and overrides win', () => {
  const rules = {
    'compute:create': 'rule:owner_or_admin',
    owner_or_admin: 'rule:admin or user_id:%(user_id)s',
    admin: '!',
  }
  const policy = createPolicy([rules, { admin: 'role:admin' }])
  assert.equal(policy.check('compute:create', alice, { user_id: 'alice' }), true)
  assert.equal(policy.check('compute:create', alice, { user_id: 'bob' }), false)
  const wider = createPolicy([rules], { admin: 'rule:ours', ours: 'role:member' })
  assert.equal(wider.check('compute:create', alice, { user_id: 'bob' }), true)
  assert.equal(wider.has('ours'), true)
  assert.equal(wider.has('theirs'), false)
  const another = createPolicy([rules], { 'image:get': 'rule:only_image_knows_this' })
  assert.equal(another.has('image:get'), false)
  assert.throws(() => wider.check('theirs', alice, {}), /no policy rule "theirs"/)
})

const history = {
  boss: 'role:admin and (system_scope:all or is_admin_project:True)',
  list: { check: 'rule:boss', scopeTypes: ['system', 'project'], deprecated: 'role:admin' },
  own: { check: 'user_id:%(user_id)s', scopeTypes: ['project'] },
} as const
const chief = { ...alice, roles: ['admin'], projectId: 'p1', projectName: 'p', projectDomainId: 'default' }
const [off, on] = [false, true].map((enforced) => ({
  ...{ enforceScope: enforced, enforceNewDefaults: enforced, adminProject: 'admin' },
}))
const everyScope = {
  project: chief,
  'admin project': { ...chief, projectName: 'admin' },
  'admin project of another domain': { ...chief, projectName: 'admin', projectDomainId: 'd2' },
  domain: { ...chief, projectId: null, projectName: null, projectDomainId: null, domainId: 'default' },
  system: { ...chief, projectId: null, projectName: null, projectDomainId: null, system: true },
}
const verdicts: [rule: string, scope: keyof typeof everyScope, lenient: boolean, strict: boolean][] = [
  ['list', 'project', true, false],
  ['list', 'admin project', true, true],
  ['list', 'admin project of another domain', true, false],
  ['list', 'domain', true, false],
  ['list', 'system', true, true],
  ['own', 'project', true, true],
  ['own', 'domain', true, false],
  ['own', 'system', true, false],
]
for (const [rule, scope, lenient, strict] of verdicts)
  test(`oslo.policy’s switches: ${rule} by an administrator of ${scope} is ${lenient}, then ${strict}`, () => {
    const target = { user_id: 'alice' }
    for (const [switches, verdict] of [
      [off, lenient],
      [on, strict],
    ] as const) {
      const policy = createPolicy([history], {}, switches)
      assert.equal(policy.check(rule, everyScope[scope], target), verdict)
      assert.equal(policy.explain(rule, everyScope[scope], target).allowed, verdict)
    }
  })

test('an override stands alone, but for the scopes', () => {
  const policy = createPolicy([history], { list: 'role:auditor' }, off)
  assert.equal(policy.check('list', chief, {}), false)
  assert.equal(policy.check('list', { ...chief, roles: ['auditor'] }, {}), true)
  const strict = createPolicy([scoped(['system'], { see: '' })], { see: 'role:auditor' }, on)
  assert.equal(strict.check('see', { ...chief, roles: ['auditor'] }, {}), false)
  assert.equal(strict.check('see', { ...everyScope.system, roles: ['auditor'] }, {}), true)
})

test('an override that leads to other services’ rules leaves this one its own', () => {
  const image = { context_is_admin: 'role:admin', get: 'rule:context_is_admin or rule:ours', ours: 'user_id:alice' }
  const identity = { context_is_admin: 'rule:admin_required', admin_required: 'role:admin' }
  const overrides = {
    context_is_admin: 'rule:admin_required or role:chief',
    ours: 'rule:helper',
    helper: 'rule:admin_required',
  }
  checkOverrides([image, identity], overrides)
  const policy = createPolicy([image], overrides)
  assert.equal(policy.check('context_is_admin', { ...alice, roles: ['chief'] }, {}), false)
  assert.equal(policy.check('context_is_admin', { ...alice, roles: ['admin'] }, {}), true)
  assert.equal(policy.check('get', alice, {}), true)
  assert.equal(createPolicy([identity], overrides).check('context_is_admin', { ...alice, roles: ['chief'] }, {}), true)
  assert.throws(
    () => checkOverrides([image, identity], { get: 'rule:contxt_is_admin' }),
    /"get".*no rule "contxt_is_admin"/,
  )
})

const refused: [rules: Record<string, string>, said: RegExp][] = [
  [{ a: 'rule:b' }, /rule "a" \(rule:b\): there is no rule "b"/],
  [{ a: 'rule:b', b: 'not rule:a' }, /"a".*refers to itself: a → b → a/],
  [{ a: '(role:x' }, /not closed/],
  [{ a: 'role:x)' }, /missing between|where a check/],
  [{ a: 'role:x role:y' }, /missing between/],
  [{ a: 'role:x and' }, /ends where a check/],
  [{ a: 'or role:x' }, /"or" where a check/],
  [{ a: '()' }, /"\)" where a check/],
  [{ a: 'admin' }, /"admin" is no check/],
  [{ a: ':x' }, /no check/],
  [{ a: 'http://example.org/%(x)s' }, /remote server/],
  [{ a: 'field:shared' }, /field:resource:name=value/],
]

for (const [rules, said] of refused)
  test(`${JSON.stringify(rules)} is refused at the start`, () => {
    assert.throws(() => createPolicy([rules]), said)
  })

test('policy.yaml is a map of check strings or lists; anything else is refused with its name', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-policy-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'policy.yaml')
  assert.deepEqual(readOverrides(file), {})
  writeFileSync(file, '# only remarks\n')
  assert.deepEqual(readOverrides(file), {})
  writeFileSync(file, '"a": "role:x"\n"b": [["role:x", "role:y"], ["role:z"]]\nc: []\n')
  assert.deepEqual(readOverrides(file), { a: 'role:x', b: '(role:x and role:y) or (role:z)', c: '' })
  writeFileSync(file, 'a: 7\n')
  assert.throws(() => readOverrides(file), /policy\.yaml: rule "a" is neither/)
  writeFileSync(file, '- a\n')
  assert.throws(() => readOverrides(file), /policy\.yaml is not a map/)
})
