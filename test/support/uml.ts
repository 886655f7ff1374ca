import { chmod, readdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type GuestOptions, type GuestOutcome, runInGuest, runMachine, secondStage } from './guest.ts'
import { systemPath } from './inside.ts'
import { findPeer } from './peers.ts'

/**
 * A machine whose only cgroups are v2: User-mode Linux, a kernel as an ordinary program, on this host's own files
 * (hostfs) with all that is written kept in memory, and an empty disk of 64 MiB at /dev/ubda. It runs one command and
 * goes. What cannot be had there: a second CPU, cpuset, PSI, hugetlb.
 */
export async function runInUml(command: readonly string[], options: GuestOptions): Promise<GuestOutcome> {
  return runInGuest('uml', command, async (folder) => {
    const init = join(folder, 'init')
    await writeFile(init, await initScript(folder, options.systemd === true))
    await chmod(init, 0o755)
    const disk = join(folder, 'disk')
    await writeFile(disk, '')
    await truncate(disk, 64 << 20)
    const fixed = [
      'rootfstype=hostfs',
      'rootflags=/',
      'ro',
      'con=null',
      'con0=fd:0,fd:1',
      'ssl=null',
      'quiet',
    ]
    const words = [`mem=${options.memoryMiB ?? 1024}M`, ...fixed, `init=${init}`, `ubd0=${disk}`]
    const env = { HOME: '/root', PATH: systemPath, TMPDIR: '/dev/shm' }
    return runMachine([findPeer('user-mode-linux') ?? '', ...words], options.timeoutMs, env)
  })
}

/**
 * The root is changed by pivot_root, since a process in a chroot may not make user namespaces. The shell is not
 * busybox's, which finds its commands by /proc/self/exe: there, before /proc is mounted, the kernel program itself.
 */
async function initScript(folder: string, systemd: boolean): Promise<string> {
  const modules = join(findPeer('user-mode-linux') ?? '', '../../lib/uml/modules')
  const [release = ''] = await readdir(modules)
  const load = (path: string) => `busybox insmod ${join(modules, release, 'kernel', path)}`
  return `#!/bin/sh
export PATH=${systemPath}
mount -t proc proc /proc
${load('fs/overlayfs/overlay.ko')}
${load('fs/fuse/fuse.ko')}
${load('fs/quota/quota_tree.ko')}
${load('fs/quota/quota_v2.ko')}
mount -t tmpfs -o size=90% tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
cd /mnt/root
mkdir .host
pivot_root . .host
${secondStage(`mount -t hostfs -o ${folder} none /run/host`, systemd)}`
}
