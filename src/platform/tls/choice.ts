import { networkInterfaces } from 'node:os'
import type { Config } from '../config.ts'
import { CloudError } from '../errors.ts'
import { type Certificate, madeCertificate, ownCertificate } from './certificates.ts'

/** By which names and addresses clients may know this cloud, the one that they are told first. */
export function namesOf({ bind, publicHost, host }: Pick<Config, 'bind' | 'publicHost' | 'host'>): string[] {
  const isAny = bind === '0.0.0.0' || bind === '::'
  const own = Object.values(networkInterfaces())
    .flat()
    .flatMap((one) => (one && !one.internal && !one.address.startsWith('fe80:') ? [one.address] : []))
  const names = [publicHost, ...(isAny ? own : [bind]), host, 'localhost', '127.0.0.1', '::1']
  return [...new Set(names.filter((name) => name !== ''))]
}

/** What this cloud shows to its clients; undefined where no API speaks TLS. @throws CloudError that names the setting */
export async function certificateFor(
  config: Pick<Config, 'tls' | 'stateDir' | 'bind' | 'publicHost' | 'host'>,
  nowMs: number,
): Promise<Certificate | undefined> {
  const { services, certificate, key } = config.tls
  if (services === 'none') return undefined
  if ((certificate === '') !== (key === ''))
    throw new CloudError('badRequest', 'tls.certificate and tls.key belong together: set both, or none.')
  return certificate ? ownCertificate(certificate, key) : madeCertificate(config.stateDir, namesOf(config), nowMs)
}
