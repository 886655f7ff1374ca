import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { systemPath } from './inside.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A command's end on a machine that was booted for it. */
export interface GuestOutcome {
  code: number
  stdout: string
  stderr: string
  /** Of the kernel: what there is to read when it panics. */
  console: string
}

export interface GuestOptions {
  timeoutMs: number
  memoryMiB?: number
  /** systemd as the first process, and the command as a service of it. */
  systemd?: boolean
}

/**
 * Runs `boot` with a folder that the machine mounts at /run/host: the command lies there, and what it said comes back
 * by it, so that no console is in between.
 */
export async function runInGuest(
  name: string,
  command: readonly string[],
  boot: (folder: string) => Promise<string>,
): Promise<GuestOutcome> {
  const folder = await cacheFolder(name)
  try {
    await writeFile(join(folder, 'command'), commandScript(command))
    const console = await boot(folder)
    const read = (file: string) => readFile(join(folder, file), 'utf8').catch(() => '')
    const status = await read('status')
    const code = status === '' ? 255 : Number(status)
    return { code, stdout: await read('stdout'), stderr: await read('stderr'), console }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A TypeScript program as one file, which starts in a third of a second there where a loader takes ten. */
export async function bundleForGuest(source: string): Promise<AsyncDisposable & { path: string }> {
  const folder = await cacheFolder('guest-program')
  const path = join(folder, 'program.mjs')
  await build({
    entryPoints: [source],
    outfile: path,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    external: ['lmdb', 'tar-stream', 'undici'],
    plugins: [ownUrls],
    logLevel: 'warning',
  })
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

/** Sources look for what they read or keep from where they lie, bundled or not. */
const ownUrls: Plugin = {
  name: 'own-urls',
  setup(plugin) {
    plugin.onLoad({ filter: /\.(ts|mjs)$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      const contents = source.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path)))
      return { contents, loader: path.endsWith('.ts') ? 'ts' : 'js' }
    })
  },
}

/** Below the package, where the native part is found, and not in /tmp, which may be another one there. */
async function cacheFolder(name: string): Promise<string> {
  await mkdir(join(root, '.cache'), { recursive: true })
  return mkdtemp(join(root, `.cache/${name}-`))
}

function commandScript(command: readonly string[]): string {
  const words = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  return `( ${words} ) >/run/host/stdout 2>/run/host/stderr </dev/null
echo $? > /run/host/status
`
}

/**
 * What the first process does once the machine's root is its own: mounts, then the command. It must not end, which
 * would be a panic. `mountHost` mounts the folder at /run/host.
 */
export function secondStage(mountHost: string, systemd: boolean): string {
  return `export PATH=${systemPath} HOME=/root LANG=C TMPDIR=/run/tmp
set -e
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir /run/tmp /run/host
${mountHost}
ip link set lo up
set +e
${systemd ? asService : 'sh /run/host/command'}
echo o > /proc/sysrq-trigger
sleep 1000
`
}

/** The command is all that this systemd starts, beside the message bus that its clients use; its end is the machine's. */
const asService = `mkdir -p /run/systemd/system
cat > /run/systemd/system/command.service <<'END'
[Unit]
DefaultDependencies=no
Wants=dbus.service
After=dbus.service
SuccessAction=poweroff-immediate
FailureAction=poweroff-immediate
[Service]
Type=oneshot
Delegate=yes
Environment=PATH=${systemPath} HOME=/root LANG=C TMPDIR=/run/tmp
ExecStart=/bin/sh /run/host/command
END
exec /lib/systemd/systemd --system --unit=command.service --log-target=console --show-status=no`

/** In a pid namespace, so that nothing of it stays when it is late; gives what was said on its console. */
export async function runMachine(
  command: readonly string[],
  timeoutMs: number,
  env: Record<string, string>,
): Promise<string> {
  const own = ['--pid', '--mount-proc', '--fork', '--kill-child', '--']
  const child = spawn('unshare', [...own, ...command], { stdio: ['ignore', 'pipe', 'pipe'], env })
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
