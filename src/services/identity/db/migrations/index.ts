import type { Migration } from '../../../../platform/db/database.ts'
import { first } from './0001-first.ts'
import { credentials } from './0002-credentials.ts'
import { extensions } from './0003-extensions.ts'
import { applicationCredentials } from './0004-application-credentials.ts'
import { oauth } from './0005-oauth.ts'
import { trusts } from './0006-trusts.ts'
import { passwords } from './0007-passwords.ts'
import { version } from './0008-version.ts'
import { federation } from './0009-federation.ts'
import { lookups } from './0010-lookups.ts'

/** In order, and never edited once released. */
export const migrations: readonly Migration[] = [
  first,
  credentials,
  extensions,
  applicationCredentials,
  oauth,
  trusts,
  passwords,
  version,
  federation,
  lookups,
]
