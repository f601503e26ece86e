import * as is from './values.ts'

/** Names in DNS. Source: Networking guide, "DNS integration"; RFC 1123 §2.1, RFC 1035 §2.3.4. */

/** What the cloud's own names end in, while nobody sets a domain. */
export const defaultDomain = 'openstacklocal.'

const label = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/i

/** A host's name: one label, or several. Empty for none. */
export const dnsName: is.Parse<string> = (value) => {
  if (value === null) return ''
  const name = is.text(255)(value)
  const labels = name.replace(/\.$/, '').split('.')
  if (name === '' || labels.every((one) => label.test(one))) return name.toLowerCase()
  throw new is.Reason(
    `'${name}' not a valid PQDN or FQDN. Reason: Name '${name}' must be 1-63 characters long, each of which can only be alphanumeric or a hyphen`,
  )
}

/** Ends with a dot, which says that it is whole. */
export const dnsDomain: is.Parse<string> = (value) => {
  const name = dnsName(value)
  if (name === '' || name.endsWith('.')) return name
  throw new is.Reason(`'${name}' not a valid FQDN. Reason: it must end with a dot`)
}

/** What a port's addresses are called: by its own name, else by the address. */
export function dnsAssignment(
  row: { dns_name: string },
  domain: string,
  addresses: readonly { ip_address: string }[],
): { ip_address: string; hostname: string; fqdn: string }[] {
  const suffix = domain === '' ? defaultDomain : domain
  return addresses.map(({ ip_address }) => {
    const own = row.dns_name.replace(/\.$/, '')
    const hostname = own === '' ? `host-${ip_address.replaceAll(/[.:]/g, '-')}` : own
    const whole = `${hostname}.`.endsWith(`.${suffix}`)
    return {
      ip_address,
      hostname: hostname.split('.')[0] ?? hostname,
      fqdn: whole ? `${hostname}.` : `${hostname}.${suffix}`,
    }
  })
}
