import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { systemPath } from './inside.ts'
import { findPeer } from './peers.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface UmlOutcome {
  code: number
  stdout: string
  stderr: string
  /** Of the kernel: what there is to read when it panics. */
  console: string
}

export interface UmlOptions {
  timeoutMs: number
  memoryMiB?: number
}

/**
 * A machine whose only cgroups are v2: User-mode Linux, a kernel as an ordinary program, on this host's own files
 * (hostfs) with all that is written kept in memory. It runs one command and goes; the whole of it lives in a pid
 * namespace, so that nothing stays when it is late. What cannot be had there: a second CPU, cpuset, PSI, hugetlb.
 */
export async function runInUml(command: readonly string[], options: UmlOptions): Promise<UmlOutcome> {
  const folder = await cacheFolder('uml')
  try {
    const init = join(folder, 'init')
    const disk = join(folder, 'disk')
    await writeFile(init, await initScript(folder, command))
    await chmod(init, 0o755)
    await writeFile(disk, '')
    await truncate(disk, 64 << 20)
    const console = await boot([`init=${init}`, `ubd0=${disk}`], options)
    const read = (name: string) => readFile(join(folder, name), 'utf8').catch(() => '')
    const status = await read('status')
    const code = status === '' ? 255 : Number(status)
    return { code, stdout: await read('stdout'), stderr: await read('stderr'), console }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A TypeScript program as one file, which starts in a third of a second there where a loader takes ten. */
export async function bundleForUml(source: string): Promise<AsyncDisposable & { path: string }> {
  const folder = await cacheFolder('uml-program')
  const path = join(folder, 'program.mjs')
  await build({
    entryPoints: [source],
    outfile: path,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    external: ['lmdb'],
    logLevel: 'warning',
  })
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

/** Below the package, where the native part is found, and not in /tmp, which is another one there. */
async function cacheFolder(name: string): Promise<string> {
  await mkdir(join(root, '.cache'), { recursive: true })
  return mkdtemp(join(root, `.cache/${name}-`))
}

async function boot(words: readonly string[], { timeoutMs, memoryMiB = 1024 }: UmlOptions): Promise<string> {
  const kernel = findPeer('user-mode-linux') ?? ''
  const fixed = ['rootfstype=hostfs', 'rootflags=/', 'ro', 'con=null', 'con0=fd:0,fd:1', 'ssl=null', 'quiet']
  const own = ['--pid', '--mount-proc', '--fork', '--kill-child', '--', kernel]
  const child = spawn('unshare', [...own, `mem=${memoryMiB}M`, ...fixed, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { HOME: '/root', PATH: systemPath, TMPDIR: '/dev/shm' },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1')
    })
  const late = setTimeout(() => {
    said += `\nended after ${timeoutMs} ms`
    child.kill('SIGKILL')
  }, timeoutMs)
  await once(child, 'close')
  clearTimeout(late)
  return said.replaceAll('\r', '')
}

/**
 * The first process. It must not end (that is a panic), and the root is changed by pivot_root, since a process in a
 * chroot may not make user namespaces. The shell is not busybox's, which finds its commands by /proc/self/exe: there,
 * before /proc is mounted, the kernel program itself. The result goes to a folder of the host's.
 */
async function initScript(folder: string, command: readonly string[]): Promise<string> {
  const modules = join(findPeer('user-mode-linux') ?? '', '../../lib/uml/modules')
  const [release = ''] = await readdir(modules)
  const load = (path: string) => `busybox insmod ${join(modules, release, 'kernel', path)}`
  return `#!/bin/sh
export PATH=${systemPath} HOME=/root LANG=C TMPDIR=/run/tmp
prepare() {
  set -e
  mount -t proc proc /proc
  ${load('fs/overlayfs/overlay.ko')}
  ${load('fs/fuse/fuse.ko')}
  mount -t tmpfs -o size=90% tmpfs /mnt
  mkdir /mnt/upper /mnt/work /mnt/root
  mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
  cd /mnt/root
  mkdir .host
  pivot_root . .host
  mount -t proc proc /proc
  mount -t sysfs sysfs /sys
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mount -t devtmpfs devtmpfs /dev
  mkdir -p /dev/pts /dev/shm
  mount -t devpts -o ptmxmode=666 devpts /dev/pts
  mount -t tmpfs tmpfs /dev/shm
  mount -t tmpfs tmpfs /run
  mkdir /run/tmp /run/host
  mount -t hostfs -o ${folder} none /run/host
  ip link set lo up
  set +e
}
prepare && {
  ( ${command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')} ) >/run/host/stdout 2>/run/host/stderr </dev/null
  echo $? > /run/host/status
}
echo o > /proc/sysrq-trigger
sleep 1000
`
}
