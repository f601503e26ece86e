import * as is from './values.ts'

/** Source: Network API reference, "Ports", `extra_dhcp_opts`. */
export interface ExtraDhcpOption {
  opt_name: string
  /** null, in an update: away with it. */
  opt_value: string | null
  ip_version: 4 | 6
}

const parts = is.record<{ opt_name: string; opt_value: string | null; ip_version?: 4 | 6 }>(
  'extra DHCP option',
  {
    opt_name: (value) => {
      const name = is.text(64)(value)
      // It becomes a word of the DHCP server's own configuration.
      if (!/^[a-z0-9-]+$/i.test(name)) throw new is.Reason(`'${name}' is not a valid name of a DHCP option`)
      return name
    },
    opt_value: is.orNull((value) => {
      const text = is.text(255)(value)
      if (/[\r\n]/.test(text)) throw new is.Reason('a DHCP option has one line')
      return text
    }),
    ip_version: (value) => is.oneOf<4 | 6>(4, 6)(is.integer(4, 6)(value) as 4 | 6),
  },
  ['opt_name', 'opt_value'],
)

export const extraDhcpOptions: is.Parse<ExtraDhcpOption[]> = is.nullAsEmpty(
  is.distinct(
    is.list((value) => ({ ip_version: 4 as const, ...parts(value) }), 'extra DHCP options'),
    (option) => `${option.opt_name} of IPv${option.ip_version}`,
    'Duplicate DHCP option',
  ),
)

const same = (a: ExtraDhcpOption, b: ExtraDhcpOption): boolean =>
  a.opt_name === b.opt_name && a.ip_version === b.ip_version

/** An update changes the options that it names, and leaves the others. */
export function mergedOptions(old: readonly ExtraDhcpOption[], changes: readonly ExtraDhcpOption[]): ExtraDhcpOption[] {
  const kept = old.filter((one) => !changes.some((other) => same(one, other)))
  return [...kept, ...changes.filter((one) => one.opt_value !== null && one.opt_value !== '')]
}
