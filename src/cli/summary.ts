import { fileURLToPath } from 'node:url'
import type { Config } from '../platform/config.ts'
import type { RunningCloud } from './running-cloud.ts'
import { statePaths } from './state.ts'
import { versionOfBerth } from './version.ts'

const launcher = fileURLToPath(new URL('../../berth', import.meta.url))
const usualDirs = ['/var/lib/berth']

/** Addresses, credentials and next steps: what `up` ends with, the first time and every other. */
export async function summaryOf(config: Config, cloud: RunningCloud): Promise<string[]> {
  const server = await cloud.firstServer()
  const width = Math.max(...cloud.endpoints.map(({ service }) => service.length), 'first server'.length)
  const row = (name: string, value: string) => `  ${name.padEnd(width)}  ${value}`
  const where = usualDirs.includes(config.stateDir) ? '' : ` --state-dir ${config.stateDir}`
  return [
    '',
    `Berth ${versionOfBerth()} is up.`,
    '',
    ...cloud.endpoints.map(({ service, url }) => row(service, url)),
    '',
    row('credentials', statePaths(config.stateDir).clouds),
    row('log', statePaths(config.stateDir).log),
    ...(server ? [row('first server', [server.name, server.status, server.address ?? ''].join(' ').trimEnd())] : []),
    '',
    'Next:',
    `  source <(${launcher} openrc${where})`,
    '  openstack server list',
    '',
  ]
}
