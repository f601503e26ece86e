import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { busyboxEntries, type Entry, imageArchive } from './busybox.ts'

const run = promisify(execFile)

/** Where Debian and others put it. */
const places = ['/usr/sbin/dropbear', '/usr/bin/dropbear', '/usr/local/sbin/dropbear']

/**
 * An image with an SSH server: this machine's busybox, and its dropbear with the libraries that it asks for. Its first
 * process takes the key from the metadata service, sets things going, and stays whatever becomes of them. Null where
 * there is no dropbear. Source: Debian's packages busybox-static and dropbear-bin.
 */
export async function sshArchive(): Promise<Buffer | null> {
  const found = await Promise.all(places.map((path) => readFile(path).catch(() => null)))
  const at = found.findIndex((binary) => binary !== null)
  if (at < 0) return null
  const libraries = await librariesOf(places[at]!)
  const file = (name: string, text: string, mode = 0o644): Entry => ({ name, body: Buffer.from(text), mode })
  return imageArchive({
    tag: 'ssh:latest',
    command: ['/sbin/init'],
    createdBy: 'berth: the static busybox and the dropbear of this machine',
    entries: [
      ...(await busyboxEntries()),
      ...folders.map(
        (name): Entry => ({ name: `${name}/`, type: 'directory', mode: name === 'root/.ssh' ? 0o700 : 0o755 }),
      ),
      ...(await Promise.all(
        libraries.map(
          async (path): Promise<Entry> => ({ name: path.slice(1), body: await readFile(path), mode: 0o755 }),
        ),
      )),
      { name: 'usr/sbin/dropbear', body: found[at]!, mode: 0o755 },
      file('etc/passwd', 'root:*:0:0:root:/root:/bin/sh\nnobody:*:65534:65534::/:/bin/false\n'),
      file('etc/group', 'root:x:0:\ntty:x:5:\nnobody:x:65534:\n'),
      file('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
      file('etc/shells', '/bin/sh\n'),
      file('sbin/init', init, 0o755),
      file('usr/share/udhcpc/default.script', dhcpScript, 0o755),
      file('usr/bin/sudo', '#!/bin/sh\n# Who is here is root already.\nexec "$@"\n', 0o755),
      file('usr/bin/curl', curl, 0o755),
    ],
  })
}

const folders = [
  'sbin',
  'usr/bin',
  'usr/sbin',
  'usr/share',
  'usr/share/udhcpc',
  'etc/dropbear',
  'root/.ssh',
  'var/run',
  'var/log',
  'mnt',
  'run',
]

/** Every file that the dynamic linker would load, itself among them. Source: ldd(1). */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program])
  return [...new Set([...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1]!))]
}

/** Shell, because a process of the first number that ends takes the server with it: each part is set going and left alone. */
const init = `#!/bin/sh
# The first process: sets the parts going, and stays.
export PATH=/sbin:/usr/sbin:/bin:/usr/bin HOME=/root
metadata=http://169.254.169.254

# By timeout(1), not -T: Debian 12's static wget ends by SIGSEGV with it.
take() { timeout 5 wget -q -O "$2.new" "$metadata/$1" && mv "$2.new" "$2"; }

from_metadata() {
  umask 077
  n=0
  until take latest/meta-data/public-keys/0/openssh-key /root/.ssh/authorized_keys; do
    n=$((n + 1)); [ $n -ge 40 ] && break; sleep 1
  done
  [ -s /root/.ssh/authorized_keys ] && echo "init: the key is from the metadata service"
  if [ ! -e /var/lib/once ] && take latest/user-data /run/user-data; then
    mkdir -p /var/lib; touch /var/lib/once
    case "$(head -c 2 /run/user-data)" in '#!') chmod 700 /run/user-data; /run/user-data ;; esac
  fi
}

ssh_server() {
  while :; do
    dropbear -F -E -R -s
    sleep 1
  done
}

trap 'exit 0' TERM INT HUP
echo "init: $(hostname) starts"
rm -rf /run/*
from_metadata &
ssh_server &
# For those who renew: the engine has set the addresses already.
for link in /sys/class/net/eth*; do
  nic=\${link##*/}
  [ -e "$link" ] && udhcpc -b -S -t 3 -T 2 -A 10 -i "$nic" -p "/var/run/udhcpc.$nic.pid" >/dev/null 2>&1 &
done
while :; do sleep 3600 & wait $!; done
`

/** Addresses and routes are set from outside; what a renewal may change is who is asked for names. */
const dhcpScript = `#!/bin/sh
case "$1" in bound|renew) ;; *) exit 0 ;; esac
{
  [ -n "$domain" ] && echo "search $domain"
  for one in $dns; do echo "nameserver $one"; done
} > /tmp/resolv.$$ && cat /tmp/resolv.$$ > /etc/resolv.conf
rm -f /tmp/resolv.$$
`

const curl = `#!/bin/sh
# Just enough of curl(1) for a look at the metadata service.
body=
while [ $# -gt 0 ]; do
  case "$1" in
    -X|-m|--max-time) shift ;;
    -d|--data) shift; body=$1 ;;
    -*) ;;
    *) url=$1 ;;
  esac
  shift
done
if [ -n "$body" ]; then exec wget -q -O - --post-data "$body" "$url"; fi
exec wget -q -O - "$url"
`
