import type { ServerOrder } from '../messages.ts'
import type { Guest } from './guest.ts'
import { contentName, ec2Tree, ec2Versions, openstackFiles, openstackVersions } from './guest-documents.ts'

/**
 * What is on a server's config drive; equal contents are sent once.
 * Source: Nova user documentation, "Metadata", "Config drives".
 */
export function configDriveOf(guest: Guest): NonNullable<ServerOrder['configDrive']> {
  const contents: string[] = []
  const files: [string, number][] = []
  const put = (path: string, content: string | Buffer) => {
    const text = Buffer.from(content).toString('base64')
    const known = contents.indexOf(text)
    files.push([path, known === -1 ? contents.push(text) - 1 : known])
  }
  for (const version of [...ec2Versions, 'latest']) {
    const { 'meta-data': meta, 'user-data': userData } = ec2Tree(
      guest,
      version === 'latest' ? ec2Versions.at(-1)! : version,
    )
    if (guest.key) meta['public-keys'] = { '0': { 'openssh-key': guest.key.data } }
    put(`ec2/${version}/meta-data.json`, JSON.stringify(meta))
    if (userData) put(`ec2/${version}/user-data`, userData)
  }
  // One seed for all versions, as one boot has but one.
  const made = new Map<string, string | Buffer | null>()
  for (const version of [...openstackVersions, 'latest']) {
    const at = version === 'latest' ? openstackVersions.at(-1)! : version
    for (const [name, { since, make }] of Object.entries(openstackFiles)) {
      if (since > at || name === 'password') continue
      const key = `${at}/${name}`
      if (!made.has(key)) made.set(key, make(guest, at))
      const content = made.get(key)
      if (content !== null && content !== undefined) put(`openstack/${version}/${name}`, content)
    }
  }
  for (const [i, file] of guest.files.entries()) {
    put(`openstack/content/${contentName(i)}`, Buffer.from(file.contents, 'base64'))
  }
  return { contents, files }
}
