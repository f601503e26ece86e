import assert from 'node:assert/strict'
import test from 'node:test'
import { startCloud } from '../../../../test/support/cloud.ts'

test('the docker: namespace is checked, and privileges want a policy that gives them', async (t) => {
  const cloud = await startCloud(t)
  const put = (extra_specs: object) =>
    cloud.as('admin').post('compute', '/v2.1/flavors/1/os-extra_specs', { extra_specs })
  assert.equal(
    (await put({ 'docker:ulimit_nofile': '1024:2048', 'docker:sysctl:net.core.somaxconn': '64' })).status,
    200,
  )
  assert.equal((await put({ 'docker:pids_limit': 'many' })).status, 400)
  assert.equal((await put({ 'docker:sysctl:kernel.core_pattern': '|/x' })).status, 400)
  assert.equal((await put({ 'docker:volumes': '/' })).status, 400)
  assert.equal((await put({ 'dockyard:volumes': 'x' })).status, 200, 'a namespace of somebody else')
  const refused = await put({ 'docker:privileged': 'true' })
  assert.equal(refused.status, 403)
  assert.match(refused.body.forbidden.message, /berth:flavors:docker_privileges/)
  const one = '/v2.1/flavors/1/os-extra_specs/docker:runtime'
  assert.equal((await cloud.as('admin').put('compute', one, { 'docker:runtime': 'runsc' })).status, 403)
})
