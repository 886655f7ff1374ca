import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { cache, unpackOnce } from '../../scripts/debian.mjs'
import { buildNginxImage } from '../../scripts/demo/nginx-image.mjs'
import { hasErrno, systemClock } from '../../src/base/index.ts'
import { FileLock } from '../../src/kernel/index.ts'
import { directory, file, hardlink, type Member, symlink, tar } from './archive.ts'
import { busyboxPath } from './busybox-image.ts'
import { startRegistry, type TestImage } from './registry.ts'

/**
 * The images that critest asks for, rebuilt from Debian packages under the same names. Where the original is an image
 * plus one file or one USER, so is ours; `test-image-digest` is missing, for nothing rebuilt has the digest it is
 * asked for by. Two registries say they have `pause:3.9`, and it is one image in both.
 */
type Named = [repository: string, tags: string[], image: TestImage]

/** Registry hosts whose names are served. */
export const critestHosts = ['registry.k8s.io', 'k8s.gcr.io', 'gcr.io', 'public.ecr.aws']

const recipes = [import.meta.url, new URL('../../scripts/demo/nginx-image.mjs', import.meta.url)]

/**
 * Folder of a registry that holds them all: made once, and again when a recipe or busybox is another. By one test file
 * at a time, for packages are unpacked at places that all share; the others wait.
 */
export async function critestImages(): Promise<string> {
  const key = createHash('sha256')
  for (const path of [...recipes.map((url) => fileURLToPath(url)), busyboxPath])
    key.update(await readFile(path))
  const folder = join(cache, `critest-images-${key.digest('hex').slice(0, 16)}`)
  await mkdir(cache, { recursive: true })
  using _lock = await lockOf(join(cache, 'critest-images.lock'))
  if (existsSync(folder)) return folder
  return await make(folder)
}

async function lockOf(path: string): Promise<FileLock> {
  for (;;) {
    try {
      return new FileLock(path)
    } catch (error) {
      if (!hasErrno(error, 'EAGAIN', 'EWOULDBLOCK')) throw error
      await systemClock.sleep(100)
    }
  }
}

async function make(folder: string): Promise<string> {
  const half = await mkdtemp(`${folder}-`)
  try {
    await using registry = await startRegistry()
    for (const [repository, tags, image] of await images())
      for (const tag of tags) await registry.pushImage(repository, tag, image)
    await cp(registry.dataDirectory, half, { recursive: true })
    await rename(half, folder)
  } finally {
    await rm(half, { recursive: true, force: true })
  }
  return folder
}

async function images(): Promise<Named[]> {
  const base = await busyboxLayer()
  const architecture = { x64: 'amd64' }[process.arch as string] ?? process.arch
  return [
    ['e2e-test-images/busybox', ['1.29-2'], busybox([base])],
    ['e2e-test-images/nginx', ['1.14-2'], await nginx(80)],
    ['e2e-test-images/httpd', ['2.4.39-4'], httpd(base)],
    ['e2e-test-images/nonewprivs', ['1.3'], await noNewPrivileges(base)],
    [`k8s-staging-cri-tools/hostnet-nginx-${architecture}`, ['latest'], await nginx(12_003)],
    ['pause', ['3.9'], busybox([base], { Cmd: ['/bin/sleep', '1000000'] })],
    ['docker/library/busybox', ['1', '1-glibc', '1-musl', '1-uclibc', '1.35.0-glibc'], busybox([base])],
    ...(await withFile(base)),
    ...withUser(base),
  ]
}

/** As `ADD $TEST` of the originals: a file that bears the image's name. */
async function withFile(base: Buffer): Promise<Named[]> {
  const plain = [
    ['tag', ['test']],
    ['tag', ['all']],
    ['latest', ['latest']],
    ['tags', ['1', '2', '3']],
    ...['1', '2', '3'].map((number): [string, string[]] => [number, ['latest']]),
  ] as const
  const one = async (name: string, tags: readonly string[]): Promise<Named> => {
    const own = await tar(file(`test-image-${name}-${tags[0]}`))
    return [`k8s-staging-cri-tools/test-image-${name}`, [...tags], busybox([base, own])]
  }
  const groups = await tar(
    file('etc/passwd', `${passwd}default-user:x:1000:1000::/home:/bin/sh\n`),
    file('etc/group', `${group}default-user:x:1000:\ngroup-defined-in-image:x:50000:default-user\n`),
  )
  const predefined = busybox([base, groups], { User: '1000' })
  return [
    ...(await Promise.all(plain.map(([name, tags]) => one(name, tags)))),
    ['k8s-staging-cri-tools/test-image-predefined-group', ['latest'], predefined],
  ]
}

function withUser(base: Buffer): Named[] {
  const users = {
    uid: '1002',
    username: 'www-data',
    'uid-group': '1003:users',
    'username-group': 'www-data:users',
  }
  return Object.entries(users).map(([kind, User]) => [
    `k8s-staging-cri-tools/test-image-user-${kind}`,
    ['latest'],
    busybox([base], { User }),
  ])
}

const compress = (bytes: Buffer) => gzipSync(bytes, { level: 1 })

function busybox(layers: Buffer[], config: Record<string, unknown> = { Cmd: ['sh'] }): TestImage {
  return { layers, config: { Env: ['PATH=/bin:/sbin'], ...config }, compress }
}

const passwd =
  'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\nnobody:x:65534:65534::/:/bin/false\n'
const group = 'root:x:0:\nwww-data:x:33:\nusers:x:100:\nnobody:x:65534:\n'

async function busyboxLayer(): Promise<Buffer> {
  const folders = ['bin/', 'dev/', 'etc/', 'home/', 'root/', 'usr/', 'var/', 'www/']
  return tar(
    ...folders.map((name) => directory(name)),
    directory('tmp/', { mode: 0o1777 }),
    ...(await busyboxPrograms('')),
    file('etc/passwd', passwd),
    file('etc/group', group),
    file('www/index.html', 'served\n'),
  )
}

/**
 * Hard links, so that a spec that hides one program hides no other. Debian's busybox lacks two that specs run, and its
 * static shell runs its own `ls` whatever lies at /bin/ls, so that the shell is the other busybox's.
 */
async function busyboxPrograms(prefix: string): Promise<Member[]> {
  const folder = `${prefix}bin`
  const applets = execFileSync(busyboxPath, ['--list'], { encoding: 'utf8' }).trim().split('\n')
  const script = (name: string, text: string) =>
    file(`${folder}/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  return [
    file(`${folder}/busybox`, await readFile(busyboxPath), { mode: 0o755 }),
    ...applets
      .filter((name) => name !== 'busybox' && name !== 'sh')
      .map((name) => hardlink(`${folder}/${name}`, `${folder}/busybox`)),
    ...(await shell(prefix)),
    script('pgrep', 'pidof "$1" | tr " " "\\n"'),
    script('ipcs', 'cat /proc/sysvipc/shm'),
  ]
}

/** With the libraries that it asks for. */
async function shell(prefix: string): Promise<Member[]> {
  const program = join(await unpackOnce(['busybox'], join(cache, 'peers/busybox')), 'bin/busybox')
  const needed = execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)
  const libraries = [...needed].map(async ([, path = '']) =>
    file(`${prefix}${path.slice(1)}`, await readFile(path), { mode: 0o755 }),
  )
  return [
    file(`${prefix}bin/sh`, await readFile(program), { mode: 0o755 }),
    ...(await Promise.all(libraries)),
  ]
}

/** Apache's says its name when it starts, which a spec looks for in the log. */
function httpd(base: Buffer): TestImage {
  const serve = 'echo "httpd: serving port 80"; exec httpd -f -p 80 -h /www'
  return busybox([base], { Cmd: ['/bin/sh', '-c', serve] })
}

async function noNewPrivileges(base: Buffer): Promise<TestImage> {
  const source = fileURLToPath(new URL('effective-uid.c', import.meta.url))
  const folder = await mkdtemp(join(cache, 'effective-uid-'))
  try {
    const program = join(folder, 'program')
    execFileSync('cc', ['-static', '-O1', '-o', program, source])
    const own = await tar(file('nnp', await readFile(program), { mode: 0o4755 }))
    return busybox([base, own], { Cmd: ['/nnp'] })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Debian's, whose configuration and shell are ours. */
async function nginx(port: number): Promise<TestImage> {
  const { layers, config } = await buildNginxImage()
  const conf = `worker_processes 1;
error_log /dev/stderr;
pid /var/run/nginx.pid;
events { worker_connections 64; }
http {
  access_log /dev/stdout;
  server { listen ${port}; default_type text/plain; location / { return 200 "served\\n"; } }
}
`
  const own = await tar(
    file('etc/nginx/nginx.conf', conf),
    symlink('var/run', '/run'),
    ...(await busyboxPrograms('usr/')),
  )
  return { layers: [...layers.map((layer) => gunzipSync(layer)), own], config: config.config, compress }
}
