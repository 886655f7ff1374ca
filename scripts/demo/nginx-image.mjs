// An nginx image from the host distribution's own packages: no shell, no package manager, 21 MB.
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { unpackPackages } from '../debian.mjs'
import { root, run } from './shell.mjs'

const packages = ['nginx', 'nginx-common', 'libc6', 'libcrypt1', 'libpcre2-8-0', 'libssl3', 'zlib1g']

const nginxConf = `worker_processes 1;
error_log /dev/stderr;
pid /run/nginx.pid;
events { worker_connections 256; }
http {
  access_log /dev/stdout;
  server {
    listen 80;
    default_type text/plain;
    location / { return 200 "hello from $hostname\\n"; }
  }
}
`

export async function buildNginxImage() {
  const work = join(root, '.cache/nginx-image')
  const rootfs = join(work, 'rootfs')
  await rm(work, { recursive: true, force: true })
  // Debian's packages expect a merged /usr: the links have to be there before the first is unpacked.
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(join(rootfs, 'usr', name), { recursive: true })
    await symlink(`usr/${name}`, join(rootfs, name))
  }
  await unpackPackages(packages, rootfs)
  for (const name of ['run', 'tmp', 'var/log/nginx', 'var/lib/nginx', 'etc/nginx'])
    await mkdir(join(rootfs, name), { recursive: true })
  await writeFile(
    join(rootfs, 'etc/passwd'),
    'root:x:0:0:root:/root:/sbin/nologin\nwww-data:x:33:33:www-data:/var/www:/sbin/nologin\nnobody:x:65534:65534::/:/sbin/nologin\n',
  )
  await writeFile(join(rootfs, 'etc/group'), 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n')
  await writeFile(join(rootfs, 'etc/nginx/nginx.conf'), nginxConf)
  await run(
    'tar',
    [
      '-C',
      rootfs,
      '--exclude=./.unpacked',
      '--sort=name',
      '--numeric-owner',
      '--owner=0',
      '--group=0',
      '-czf',
      join(work, 'layer.tar.gz'),
      '.',
    ],
    { quiet: true },
  )
  const layer = await readFile(join(work, 'layer.tar.gz'))
  const diffId = `sha256:${createHash('sha256').update(gunzipSync(layer)).digest('hex')}`
  return {
    layers: [layer],
    config: {
      architecture: { x64: 'amd64', arm64: 'arm64' }[process.arch],
      os: 'linux',
      created: new Date().toISOString(),
      config: {
        Entrypoint: ['/usr/sbin/nginx'],
        Cmd: ['-g', 'daemon off;'],
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        ExposedPorts: { '80/tcp': {} },
        StopSignal: 'SIGQUIT',
      },
      rootfs: { type: 'layers', diff_ids: [diffId] },
      history: [{ created_by: `debian packages ${packages.join(' ')}` }],
    },
  }
}
