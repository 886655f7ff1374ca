import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { directory, file, symlink, tar } from './archive.ts'
import { busyboxPath } from './busybox-image.ts'
import type { PushedImage, Registry } from './registry.ts'

const applets = [
  'cat',
  'echo',
  'false',
  'grep',
  'hostname',
  'httpd',
  'id',
  'kill',
  'ls',
  'mkdir',
  'nc',
  'printf',
]
const more = ['ps', 'sh', 'sleep', 'stty', 'tail', 'tar', 'true', 'tty', 'wc']

/** Answers every request with its host name, logs each URL, ends at SIGTERM. */
const serve = `echo "hello from $(hostname)" > /www/index.html
trap 'echo bye; exit 0' TERM
httpd -f -vv -p 80 -h /www & wait`

/** Pushes a web server of busybox-static under a name; the default is that of examples/nginx-deployment.yaml. */
export async function pushWebImage(
  registry: Registry,
  repository = 'library/nginx',
  tag = '1.7.9',
): Promise<PushedImage> {
  const layer = await tar(
    directory('bin/'),
    directory('etc/'),
    directory('tmp/', { mode: 0o1777 }),
    directory('www/'),
    file('bin/busybox', await readFile(busyboxPath), { mode: 0o755 }),
    ...[...applets, ...more].map((applet) => symlink(`bin/${applet}`, 'busybox')),
    file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/:/bin/sh\n'),
    file('etc/group', 'root:x:0:\nweb:x:34:\n'),
  )
  const config = { Cmd: ['/bin/sh', '-c', serve], Env: ['PATH=/bin'], ExposedPorts: { '80/tcp': {} } }
  return registry.pushImage(repository, tag, { layers: [layer], config, compress: gzipSync })
}
