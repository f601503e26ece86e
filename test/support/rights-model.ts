/**
 * Who may what where, said a second time and as simply as can be: no SQL, no caches, no tokens. Tests compare the real
 * thing with it.
 */
export interface Assignment {
  actor: string
  /** `project:<id>`, `domain:<id>`, `system` */
  target: string
  role: string
  /** Counts below the target, not on it. */
  inherited: boolean
}

export interface Model {
  assignments: Assignment[]
  /** Group → users. */
  members: Record<string, string[]>
  /** Role → roles it brings along, directly. */
  implies: Record<string, string[]>
  /** Project → what it stands in: `project:<id>` and `domain:<id>`, all of them. */
  above: Record<string, string[]>
  disabled: Set<string>
  passwords: Record<string, string>
}

/** The roles of a user in a scope, implied ones too; none for whoever or wherever is switched off. */
export function rolesOf(model: Model, user: string, scope: string): Set<string> {
  if (model.disabled.has(user) || model.disabled.has(scope)) return new Set()
  const actors = [user, ...Object.keys(model.members).filter((group) => model.members[group]?.includes(user))]
  const above = model.above[scope] ?? []
  const roles = new Set(
    model.assignments
      .filter(({ actor }) => actors.includes(actor))
      .filter(({ target, inherited }) => (inherited ? above.includes(target) : target === scope))
      .map(({ role }) => role),
  )
  for (const role of roles) for (const implied of model.implies[role] ?? []) roles.add(implied) // visits the added too
  return roles
}
