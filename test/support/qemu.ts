import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type GuestOptions, type GuestOutcome, runInGuest, runMachine, secondStage } from './guest.ts'
import { systemPath } from './inside.ts'
import { findPeer, peerEnvironment } from './peers.ts'

/** In the order in which they need each other. */
const modules = [
  ...['drivers/virtio/virtio_ring', 'drivers/virtio/virtio', 'drivers/virtio/virtio_pci_modern_dev'],
  ...['drivers/virtio/virtio_pci_legacy_dev', 'drivers/virtio/virtio_pci', 'net/9p/9pnet'],
  ...['net/9p/9pnet_virtio', 'fs/netfs/netfs', 'fs/fscache/fscache', 'fs/9p/9p', 'fs/overlayfs/overlay'],
]

/**
 * A machine with all controllers of cgroup v2 and two CPUs, computed by qemu: twenty times slower than this one, and
 * so only for what User-mode Linux has not. Debian's own kernel; this host's files by 9p, with all that is written
 * kept in memory.
 */
export async function runInQemu(command: readonly string[], options: GuestOptions): Promise<GuestOutcome> {
  return runInGuest('qemu', command, async (folder) => {
    const initramfs = join(folder, 'initramfs')
    await writeFile(initramfs, initialFiles(options.systemd === true))
    const program = findPeer('qemu-system-x86_64') ?? ''
    const data = join(dirname(program), '../share')
    const share = (tag: string, path: string, more: string) => [
      ...['-fsdev', `local,id=${tag},path=${path},security_model=none,multidevs=remap${more}`],
      ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
    ]
    const words = [
      ...['-L', join(data, 'qemu'), '-L', join(data, 'seabios')],
      ...['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max', '-smp', '2'],
      ...['-m', String(options.memoryMiB ?? 1536), '-nodefaults', '-no-user-config', '-no-reboot'],
      ...['-display', 'none', '-serial', 'stdio', '-kernel', kernel().path, '-initrd', initramfs],
      ...share('root', '/', ',readonly=on'),
      ...share('host', folder, ''),
      ...['-append', 'console=ttyS0 panic=-1 quiet mitigations=off nokaslr random.trust_cpu=on psi=1'],
    ]
    const { LD_LIBRARY_PATH = '' } = peerEnvironment(['qemu-system-x86_64'])
    return runMachine([program, ...words], options.timeoutMs, { PATH: systemPath, LD_LIBRARY_PATH })
  })
}

function kernel(): { path: string; modules: string } {
  const path = findPeer('guest-kernel') ?? ''
  const below = join(dirname(path), '../lib/modules')
  const [release = ''] = readdirSync(below)
  return { path, modules: join(below, release, 'kernel') }
}

const nineP = 'trans=virtio,version=9p2000.L,msize=512000'

function initialFiles(systemd: boolean): Buffer {
  const busybox = findPeer('busybox') ?? ''
  // Its shell would find its own commands by /proc/self/exe, which is not there yet.
  const init = `#!/bin/busybox sh
b=/bin/busybox
$b mkdir -p /proc /host /mnt
$b mount -t proc proc /proc
for module in ${modules.map((path) => path.split('/').at(-1)).join(' ')}; do $b insmod /$module.ko; done
$b mount -t 9p -o ${nineP},cache=loose,ro root /host
$b mount -t tmpfs -o size=80% tmpfs /mnt
$b mkdir /mnt/upper /mnt/work /mnt/root
$b mount -t overlay -o lowerdir=/host,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
$b cat > /mnt/root/.stage <<'STAGE'
${secondStage(`mount -t 9p -o ${nineP} host /run/host`, systemd)}
STAGE
exec $b switch_root /mnt/root /bin/sh /.stage
`
  return archive([
    ['bin', undefined],
    ['bin/busybox', readFileSync(busybox)],
    ['init', Buffer.from(init)],
    ...modules.map(
      (path): Entry => [`${path.split('/').at(-1)}.ko`, readFileSync(join(kernel().modules, `${path}.ko`))],
    ),
  ])
}

type Entry = [name: string, content: Buffer | undefined]

/** cpio's "new ASCII" form (initramfs-buffer-format): a header of hexadecimal words, the name, the content. */
function archive(entries: readonly Entry[]): Buffer {
  const parts = [...entries, ['TRAILER!!!', Buffer.alloc(0)] as Entry].map(([name, content], index) => {
    const mode = content === undefined ? 0o40755 : 0o100755
    const size = content?.length ?? 0
    const words = [index + 1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name.length + 1, 0]
    const header = `070701${words.map((word) => word.toString(16).padStart(8, '0')).join('')}${name}\0`
    return Buffer.concat([padded(Buffer.from(header, 'latin1')), padded(content ?? Buffer.alloc(0))])
  })
  return Buffer.concat(parts)
}

const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)])
