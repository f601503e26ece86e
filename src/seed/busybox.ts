import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { type Header, pack } from 'tar-stream'

const run = promisify(execFile)

/** Where distributions put a static busybox, the likeliest first. */
const places = ['/bin/busybox', '/usr/bin/busybox', '/bin/busybox.static', '/usr/lib/initcpio/busybox']

/** The machine's own static busybox. @throws Error saying which package brings one. */
export async function findBusybox(): Promise<string> {
  for (const place of places) {
    const found = await access(place).then(
      () => true,
      () => false,
    )
    if (found) return place
  }
  throw new Error(`No static busybox in ${places.join(', ')}; install the package busybox-static`)
}

/**
 * An image made from the machine's own static busybox, as `docker save` would write it: the same binary gives the same
 * bytes. Its shell waits on the terminal, so a server booted from it stays up.
 * Source: Docker Image Specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
 */
export async function busyboxArchive(): Promise<Buffer> {
  const accounts = [
    { name: 'etc/passwd', body: Buffer.from('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n') },
    { name: 'etc/group', body: Buffer.from('root:x:0:\nnobody:x:65534:\n') },
  ]
  return imageArchive({
    tag: 'busybox:latest',
    command: ['sh'],
    createdBy: 'berth: the static busybox of this machine',
    entries: [...(await busyboxEntries()), ...accounts],
  })
}

/** Folders, the binary, and its applets as links to it. */
export async function busyboxEntries(): Promise<Entry[]> {
  const path = await findBusybox()
  const [binary, { stdout }] = await Promise.all([readFile(path), run(path, ['--list'])])
  return [
    ...['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp', 'usr', 'var', 'var/www'].map(
      (name): Entry => ({ name: `${name}/`, type: 'directory', mode: name === 'tmp' ? 0o1777 : 0o755 }),
    ),
    { name: 'bin/busybox', mode: 0o755, body: binary },
    ...stdout
      .split('\n')
      .filter((applet) => applet && applet !== 'busybox')
      .map((applet): Entry => ({ name: `bin/${applet}`, type: 'link', linkname: 'bin/busybox', mode: 0o755 })),
  ]
}

/** An image of one layer as `docker save` would write it. */
export async function imageArchive(image: {
  tag: string
  command: readonly string[]
  createdBy: string
  entries: readonly Entry[]
}): Promise<Buffer> {
  const layer = await tar(image.entries)
  const diffId = `sha256:${sha256(layer)}`
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: { Env: ['PATH=/bin:/usr/bin:/sbin:/usr/sbin'], Cmd: image.command, WorkingDir: '/root' },
      rootfs: { type: 'layers', diff_ids: [diffId] },
      history: [{ created: '1970-01-01T00:00:00Z', created_by: image.createdBy }],
    }),
  )
  const configName = `${sha256(config)}.json`
  const layerName = `${sha256(layer)}/layer.tar`
  const manifest = [{ Config: configName, RepoTags: [image.tag], Layers: [layerName] }]
  return tar([
    { name: layerName, body: layer },
    { name: configName, body: config },
    { name: 'manifest.json', body: Buffer.from(JSON.stringify(manifest)) },
  ])
}

export type Entry = Partial<Header> & Pick<Header, 'name'> & { body?: Buffer }

async function tar(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack()
  for (const { body, ...header } of entries) {
    archive.entry({ mtime: new Date(0), uid: 0, gid: 0, mode: 0o644, ...header }, body ?? Buffer.alloc(0))
  }
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
