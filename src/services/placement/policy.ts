import type { Rules } from '../../platform/auth/policy.ts'

const admin = 'rule:system_admin_api or rule:admin_api'
const reader = 'rule:system_reader_api or rule:admin_api'
const of = (name: string, verbs: readonly string[], check: string): Rules =>
  Object.fromEntries(verbs.map((verb) => [`placement:${name}:${verb}`, check]))

/** Source: Placement (Zed), "Policy Reference", with the defaults of before scopes where scopes are not enforced. */
export const rules: Rules = {
  admin_api: 'role:admin',
  system_admin_api: 'role:admin and system_scope:all',
  system_reader_api: 'role:reader and system_scope:all',
  project_reader_api: 'role:reader and project_id:%(project_id)s',
  system_or_project_reader: 'rule:system_reader_api or rule:project_reader_api',
  ...of('resource_providers', ['list', 'show'], reader),
  ...of('resource_providers', ['create', 'update', 'delete'], admin),
  ...of('resource_providers:inventories', ['list', 'show'], reader),
  ...of('resource_providers:inventories', ['create', 'update', 'delete'], admin),
  ...of('resource_providers:aggregates', ['list'], reader),
  ...of('resource_providers:aggregates', ['update'], admin),
  ...of('resource_providers:traits', ['list'], reader),
  ...of('resource_providers:traits', ['update', 'delete'], admin),
  ...of('resource_providers', ['usages'], reader),
  ...of('resource_providers:allocations', ['list'], reader),
  ...of('resource_classes', ['list', 'show'], reader),
  ...of('resource_classes', ['create', 'update', 'delete'], admin),
  ...of('traits', ['list', 'show'], reader),
  ...of('traits', ['update', 'delete'], admin),
  ...of('allocations', ['list'], reader),
  ...of('allocations', ['manage', 'update', 'delete'], admin),
  ...of('allocation_candidates', ['list'], reader),
  ...of('reshaper', ['reshape'], admin),
  'placement:usages': 'rule:system_or_project_reader or rule:admin_api',
}
