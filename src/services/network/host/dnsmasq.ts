import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { mustRun } from '../../../machine/net/command.ts'
import { inNamespace } from '../../../machine/net/namespaces.ts'
import type { DnsmasqFiles } from './dnsmasq-files.ts'
import { namespaceOf, runDirOf } from './names.ts'

/** The user `nobody`: what dnsmasq becomes once its sockets are open, and then still reads its files as. */
const nobody = 65_534

/** One network's dnsmasq: a process of its own, which goes on when ours ends and is found again by its folder. */
export interface Dnsmasq {
  /** Makes it run on these files. Repeatable; does nothing when it does already. */
  ensure(files: DnsmasqFiles): Promise<void>
  stop(): Promise<void>
}

export const dnsmasqFolder = (cloudId: string, networkId: string): string =>
  join(runDirOf(cloudId), 'networks', networkId)

export function dnsmasqOf(cloudId: string, networkId: string): Dnsmasq {
  const folder = dnsmasqFolder(cloudId, networkId)
  const config = join(folder, 'dnsmasq.conf')

  async function write(name: string, text: string): Promise<boolean> {
    const path = join(folder, name)
    if ((await readFile(path, 'utf8').catch(() => null)) === text) return false
    await writeFile(`${path}.new`, text, { mode: 0o600 })
    await chown(`${path}.new`, nobody, nobody)
    await rename(`${path}.new`, path)
    return true
  }

  async function running(): Promise<number | null> {
    const pid = Number((await readFile(join(folder, 'pid'), 'utf8').catch(() => '')).trim())
    return pid > 0 && (await servesFrom(pid))?.startsWith(`${folder}/`) ? pid : null
  }

  return {
    async ensure(files) {
      await mkdir(folder, { recursive: true, mode: 0o711 })
      await chown(folder, nobody, nobody)
      const changes = [
        await write('dnsmasq.conf', files.conf),
        await write('hosts', files.hosts),
        await write('options', files.options),
        await write('names', files.names),
      ]
      const pid = await running()
      if (pid !== null && !changes.includes(true)) return
      // Not told by SIGHUP: 2.90 then ends by SIGSEGV when it has given out a lease (seen with Debian 12's). A new one is
      // there in some 10 ms, and has nothing to remember.
      if (pid !== null) await end(pid)
      await mustRun(inNamespace(namespaceOf(networkId), ['dnsmasq', `--conf-file=${config}`]))
    },
    async stop() {
      const pid = await running()
      if (pid !== null) await end(pid)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The configuration that a process of dnsmasq was started with; null for any other process. */
async function servesFrom(pid: number): Promise<string | null> {
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
  if (!words[0]?.endsWith('dnsmasq')) return null
  return words.find((word) => word.startsWith('--conf-file='))?.slice('--conf-file='.length) ?? null
}

const pauseMs = 10

/** Ends it, and waits until its sockets are free. It has nothing to finish. */
async function end(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL')
    while ((await servesFrom(pid)) !== null) await new Promise((resolve) => setTimeout(resolve, pauseMs))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Ends every dnsmasq of this cloud, whatever became of its folder. */
export async function stopAllDnsmasq(cloudId: string): Promise<void> {
  const folder = join(runDirOf(cloudId), 'networks')
  for (const name of await readdir('/proc'))
    if (/^\d+$/.test(name) && (await servesFrom(Number(name)))?.startsWith(`${folder}/`)) await end(Number(name))
  await rm(folder, { recursive: true, force: true })
}
