import { Type } from 'typebox'

const Switch = Type.Optional(Type.Union([Type.Boolean(), Type.Null()]))
const Methods = Type.Array(Type.String(), { minItems: 1, uniqueItems: true })

/** Set to null, an option is taken off. Source: Identity API reference, "Users"; Keystone documentation, "User options". */
export const UserOptions = Type.Object(
  {
    ignore_change_password_upon_first_use: Switch,
    ignore_password_expiry: Switch,
    ignore_lockout_failure_attempts: Switch,
    lock_password: Switch,
    ignore_user_inactivity: Switch,
    multi_factor_auth_enabled: Switch,
    multi_factor_auth_rules: Type.Optional(Type.Union([Type.Array(Methods, { uniqueItems: true }), Type.Null()])),
  },
  { additionalProperties: false },
)
