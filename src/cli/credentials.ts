import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Config, urlOf } from '../platform/config.ts'
import { type Secrets, statePaths, writePrivate } from './state.ts'

/** The users whose passwords Berth made, each with the project it works in. */
const users = (secrets: Secrets) => [
  { user: 'admin', project: 'admin', password: secrets.adminPassword, cloud: 'berth' },
  { user: 'demo', project: 'demo', password: secrets.demoPassword, cloud: 'berth-demo' },
]

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Writes `clouds.yaml` and the openrc files as the configuration of this start makes them. Repeatable. */
export function writeCredentials(config: Config, secrets: Secrets): void {
  const paths = statePaths(config.stateDir)
  // An operator's own certificate is trusted already, or they say so themselves.
  const isMade = config.tls.services === 'all' && config.tls.certificate === ''
  const authority = isMade ? join(config.stateDir, 'tls', 'ca.crt') : null
  const authUrl = `${urlOf(config, 'identity')}/v3`
  const clouds = users(secrets).map(({ cloud, user, project, password }) => [
    cloud,
    {
      auth: {
        auth_url: authUrl,
        username: user,
        password,
        project_name: project,
        user_domain_name: 'Default',
        project_domain_name: 'Default',
      },
      region_name: config.region,
      identity_api_version: 3,
      ...(authority ? { cacert: authority } : {}),
    },
  ])
  writePrivate(paths.clouds, stringify({ clouds: Object.fromEntries(clouds) }))
  for (const { user, project, password } of users(secrets)) {
    const variables: Record<string, string> = {
      OS_AUTH_URL: authUrl,
      OS_USERNAME: user,
      OS_PASSWORD: password,
      OS_PROJECT_NAME: project,
      OS_USER_DOMAIN_NAME: 'Default',
      OS_PROJECT_DOMAIN_NAME: 'Default',
      OS_REGION_NAME: config.region,
      OS_IDENTITY_API_VERSION: '3',
      ...(authority ? { OS_CACERT: authority } : {}),
    }
    const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}\n`)
    writePrivate(paths.openrc(user), lines.join(''))
  }
}
