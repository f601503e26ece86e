import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../platform/clock.ts'
import { portOf, urlOf } from '../platform/config.ts'
import { authorityOf, madeCertificate } from '../platform/tls/certificates.ts'
import { namesOf } from '../platform/tls/choice.ts'
import { type Call, configOf, UsageError } from './call.ts'

/** `berth tls`: the lines that make clients trust this cloud; `berth tls ca`: the certificate itself. */
export async function run(call: Call): Promise<number> {
  const { out, operand } = call
  const config = configOf(call)
  if (operand !== undefined && operand !== 'ca') throw new UsageError('berth tls can only: ca')
  const isOwn = config.tls.certificate !== ''
  if (!isOwn && (await authorityOf(config.stateDir)) === null)
    await madeCertificate(config.stateDir, namesOf(config), systemClock.nowMs())
  const path = isOwn ? config.tls.certificate : join(config.stateDir, 'tls', 'ca.crt')
  if (operand === 'ca') {
    out((await readFile(path, 'utf8')).trimEnd())
    return 0
  }
  const host = `${new URL(urlOf(config, 'registry')).hostname}:${portOf(config, 'registry')}`
  if (config.tls.services === 'none')
    out('# nothing speaks TLS yet: set tls.services to registry or all, and start again\n')
  const trust = (dir: string) => `mkdir -p ${dir}/${host} && cp ca.crt ${dir}/${host}/ca.crt`
  for (const line of [
    '# on every machine that shall trust this cloud, as root, with the output of `berth tls ca` in ca.crt:',
    `${trust('/etc/docker/certs.d')}      # Docker`,
    `${trust('/etc/containers/certs.d')}  # Podman, Buildah, Skopeo`,
    'cp ca.crt /usr/local/share/ca-certificates/berth.crt && update-ca-certificates  # everything else on Debian',
    `export OS_CACERT=${path}  # OpenStack clients`,
  ])
    out(line)
  return 0
}
