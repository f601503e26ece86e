import { randomBytes } from 'node:crypto'
import type { Guest } from './guest.ts'
import { networkData } from './guest-network.ts'

/** Source: Nova user documentation, "Metadata", "The metadata service", for both lists and the forms below. */
export const openstackVersions = [
  ...['2012-08-10', '2013-04-04', '2013-10-17', '2015-10-15', '2016-06-30', '2016-10-06', '2017-02-22', '2018-08-27'],
  ...['2020-10-14'],
] as const
export const ec2Versions = [
  ...['1.0', '2007-01-19', '2007-03-01', '2007-08-29', '2007-10-10', '2007-12-15', '2008-02-01', '2008-09-01'],
  ...['2009-04-04'],
] as const

type Make = (guest: Guest, version: string) => string | Buffer | null

/** What lies under a version of OpenStack's format: since when, and what it says; null for what this server has not. */
export const openstackFiles: Readonly<Record<string, { since: string; json: boolean; make: Make }>> = {
  'meta_data.json': { since: '2012-08-10', json: true, make: (guest, version) => text(metaData(guest, version)) },
  user_data: { since: '2012-08-10', json: false, make: ({ userData }) => userData },
  password: { since: '2013-04-04', json: false, make: ({ password }) => password ?? '' },
  'vendor_data.json': { since: '2013-10-17', json: true, make: ({ vendorData }) => text(vendorData) },
  'network_data.json': { since: '2015-10-15', json: false, make: ({ nics }) => text(networkData(nics)) },
  'vendor_data2.json': { since: '2016-10-06', json: true, make: ({ vendorData }) => text({ static: vendorData }) },
}

const text = (value: unknown): string => JSON.stringify(value)

function metaData(guest: Guest, version: string): Record<string, unknown> {
  const { server, key } = guest
  return {
    uuid: server.id,
    ...(Object.keys(guest.meta).length > 0 ? { meta: guest.meta } : {}),
    ...(guest.files.length > 0
      ? { files: guest.files.map(({ path }, i) => ({ path, content_path: `/content/${contentName(i)}` })) }
      : {}),
    ...(key
      ? { public_keys: { [key.name]: key.data }, keys: [{ name: key.name, type: key.type, data: key.data }] }
      : {}),
    ...{ hostname: server.hostname, name: server.name, launch_index: server.launchIndex },
    availability_zone: server.availabilityZone,
    ...(version >= '2013-04-04' ? { random_seed: randomBytes(512).toString('base64') } : {}),
    ...(version >= '2015-10-15' ? { project_id: server.projectId } : {}),
    ...(version >= '2016-06-30' ? { devices: [] } : {}),
    ...(version >= '2020-10-14' ? { dedicated_cpus: [] } : {}),
  }
}

/** `0000`: under which an injected file lies in `content/`. */
export const contentName = (i: number): string => String(i).padStart(4, '0')

/** A leaf, or more below it. */
export type Ec2Tree = { [name: string]: string | readonly string[] | Ec2Tree }

/** `meta-data` and `user-data` as a version of EC2 has them. */
export function ec2Tree(guest: Guest, version: string): { 'meta-data': Ec2Tree; 'user-data'?: Buffer } {
  const { server, key, userData } = guest
  const at = (since: string) => ec2Versions.indexOf(version as never) >= ec2Versions.indexOf(since as never)
  const address = guest.fixedIps.find(({ version: ip }) => ip === 4)?.ipAddress ?? ''
  const tree: Ec2Tree = {
    'ami-id': ec2Id('ami', server.imageId),
    'ami-launch-index': String(server.launchIndex),
    'ami-manifest-path': '(unknown)', // as EC2 says it of images that have none
    'instance-id': ec2Id('i', server.id),
    hostname: server.hostname,
    'local-ipv4': address,
    'reservation-id': server.reservationId,
    'security-groups': guest.securityGroups,
    ...(key ? { 'public-keys': { [`0=${key.name}`]: { 'openssh-key': key.data } } } : {}),
    ...(at('2007-01-19')
      ? {
          'local-hostname': server.hostname,
          'public-hostname': server.hostname,
          'public-ipv4': guest.floatingIps[0] ?? '',
        }
      : {}),
    ...(at('2007-08-29') ? { 'instance-type': server.flavor.name } : {}),
    ...(at('2007-12-15') ? { 'block-device-mapping': { ami: 'sda1', root: '/dev/sda1' } } : {}),
    ...(at('2008-02-01') ? { placement: { 'availability-zone': server.availabilityZone ?? '' } } : {}),
    ...(at('2008-09-01') ? { 'instance-action': 'none' } : {}),
  }
  return { 'meta-data': tree, ...(userData ? { 'user-data': userData } : {}) }
}

/** EC2's long form: 17 hex digits, here the first of the UUID. Source: Amazon EC2 user guide, "Resource IDs". */
const ec2Id = (kind: string, uuid: string): string => `${kind}-${uuid.replaceAll('-', '').slice(0, 17)}`
