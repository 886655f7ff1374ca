/**
 * Once the descriptor of a container's root is open, no path of it is a string for the kernel: everything goes through
 * native/init/path.c (openat2 below the root) or an open descriptor. Which sources name a path by a string all the same
 * is listed here, with what it is; another one has to be thought about and added.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { compileCreate } from '../../src/oci/compile/create.ts'
import { compileRequest } from '../support/compile-request.ts'
import { plainSpec } from '../support/container.ts'

const folder = fileURLToPath(new URL('../../native/init/', import.meta.url))

/** Calls that take a path as it stands: relative to the working directory, or with no descriptor at all. */
const byString =
  /AT_FDCWD|__NR_(?:chdir|chroot|mount|umount2|execve|bind|connect|open|stat|mkdir|unlink|rename|symlink|mknod)\b/

const known: Readonly<Record<string, string>> = {
  'adopt.c': '/proc/thread-self and criu’s file in the state directory',
  'bpf.c': 'cgroup, before the clone',
  'copy-up.c': 'source of a bind mount',
  'files.c': 'the host’s files, before the clone or by the parent',
  'groups.c': 'cgroups and their mounts',
  'hooks.c': 'namespaces of /proc/self',
  'layers.c': 'layers and their place, in a mount namespace of their own',
  'log.c': 'the log of the monitor',
  'mounts.c': 'source of a bind mount',
  'move-root.c': '--no-pivot: the host’s mounts, from a list of them',
  'namespaces.c': 'the root of an exec',
  'netdevice.c': 'namespaces, and a device of /sys before the clone',
  'on-behalf.c': '/proc of the child, by the parent',
  'process.c': '/proc/PID/stat',
  'program.c': 'the program, by its user in its own root',
  'remount.c': 'a mount of the container, in its root',
  'remove-mount.c': 'a name in a directory that was stepped into',
  'rootfs.c': 'rootfs and layers; then only "/" and "."',
  'run-program.c': 'hooks and newuidmap',
  'socket.c': 'sockets of the state directory and of callers',
  'trees.c': 'sources of mounts, the host’s device nodes',
  'user-namespace.c': '/proc of the child, by the parent',
}

test('paths that are strings stand where they are known to, and nowhere in what looks into a container', (t) => {
  const found = readdirSync(folder).filter((name) => {
    const text = name.endsWith('.c') ? readFileSync(`${folder}${name}`, 'utf8') : ''
    return byString.test(text.replace(/\/\/.*$/gm, ''))
  })
  t.deepEqual(found.sort(), Object.keys(known).sort())
  for (const name of ['path.c', 'devices.c', 'terminal.c', 'proc.c', 'labels.c', 'credentials.c'])
    t.false(found.includes(name), name)
})

/** They open what the plan names, as the host has it. */
const ofHost = [
  'openPath',
  'openLogFile',
  'writeFile',
  'makeDirectory',
  'mountBind',
  'openTree',
  'bindNode',
  'rootDirectory',
  'connect',
]

test('after the switch of the root a plan opens nothing by a path of the host', (t) => {
  for (const noPivot of [false, true]) {
    const spec = plainSpec(['true'], ({ linux, mounts }) => {
      linux.sysctl = { 'net.ipv4.ip_forward': '1' }
      mounts?.push({ destination: '/data', type: 'bind', source: '/srv', options: ['bind'] })
    })
    const { child } = compileCreate(compileRequest(spec, noPivot ? { noPivot } : {})).plan
    const order = child.map(({ op }) => op)
    const at = order.indexOf(noPivot ? 'moveRoot' : 'pivotRoot')
    t.true(at > 0 && order.includes('mountBind'))
    t.deepEqual(
      order.slice(at).filter((op) => ofHost.includes(op)),
      [],
    )
  }
})
