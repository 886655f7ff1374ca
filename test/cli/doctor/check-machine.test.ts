import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import test from 'ava'
import { checkMachine } from '../../../src/cli/doctor/check-machine.ts'
import { type FileSystem, type Host, thisMachine } from '../../../src/cli/doctor/host.ts'
import { launcher } from '../../support/cri-endpoint.ts'

const places = { dataDirectory: '/data', runDirectory: '/run/keelson' }
const root = 'Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n'

const files: Record<string, string> = {
  '/proc/sys/kernel/osrelease': '6.1.0-18-amd64\n',
  '/proc/self/status': root,
  '/proc/self/uid_map': '         0          0 4294967295\n',
  '/proc/self/mounts': 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n',
  '/proc/self/limits': 'Max open files            1024                 1048576              files\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory hugetlb pids\n',
  '/proc/sys/kernel/seccomp/actions_avail': 'kill_process allow\n',
  '/proc/self/ns/user': '',
  '/proc/sys/user/max_user_namespaces': '63432\n',
  '/proc/pressure/cpu': '',
  '/proc/filesystems': 'nodev\tsysfs\nnodev\toverlay\n',
  '/proc/sys/net/ipv4/ip_forward': '0\n',
  '/proc/sys/net/ipv6/conf/all/disable_ipv6': '0\n',
  '/proc/sys/fs/inotify/max_user_instances': '128\n',
  '/proc/sys/kernel/pid_max': '4194304\n',
  '/proc/sys/kernel/threads-max': '190000\n',
  '/sys/kernel/security/lsm': 'lockdown,capability,apparmor',
}
const disks: Record<string, FileSystem> = {
  '/data': { type: 'ext4', freeBytes: 50 * 2 ** 30, freeInodes: 3e6 },
  '/run/keelson': { type: 'tmpfs', freeBytes: 2 ** 30, freeInodes: 1e5 },
}

/** A good machine, but for what is given. */
function machine(other: {
  files?: Record<string, string | undefined>
  disks?: Record<string, FileSystem>
  programs?: readonly string[]
  mayWrite?: boolean
}): Host {
  const there = { ...files, ...other.files }
  const programs = other.programs ?? ['nft', 'criu']
  return {
    read: (path) => there[path],
    exists: (path) => there[path] !== undefined,
    mayWrite: () => other.mayWrite ?? true,
    list: (folder) =>
      Object.keys(there).flatMap((path) =>
        path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : [],
      ),
    fileSystem: (path) =>
      ({ ...disks, ...other.disks })[path] ?? { type: 'ext4', freeBytes: 0, freeInodes: 0 },
    program: (name) => (programs.includes(name) ? `/usr/sbin/${name}` : undefined),
    nodeVersion: '20.19.0',
  }
}

test('a good machine has nothing to be told', (t) => {
  t.deepEqual(
    checkMachine(places, machine({})).filter(({ result }) => result !== 'ok'),
    [],
  )
})

const v1 =
  'cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu,cpuacct 0 0\n'
const disk = disks['/data'] as FileSystem
const cniPath = '/etc/cni/net.d/10-net.conflist'
const plugins = '{"plugins":[{"type":"bridge","ipam":{"type":"host-local"}}]}'

for (const [name, other, result, detail] of [
  ['kernel', { files: { '/proc/sys/kernel/osrelease': '5.10.0' } }, 'failed', /5\.14 or newer/],
  ['root', { files: { '/proc/self/status': 'Uid:\t1\t1\n' } }, 'warning', /not root/],
  ['root', { files: { '/proc/self/uid_map': '0 100000 65536\n' } }, 'warning', /of a user namespace/],
  [
    'capabilities',
    { files: { '/proc/self/status': 'Uid:\t0\t0\t0\nCapEff:\t000001ffffdfffff\n' } },
    'failed',
    /^CAP_SYS_ADMIN is not held$/,
  ],
  ['capabilities', { files: { '/proc/self/status': 'Uid:\t1\t1\t1\nCapEff:\t0\n' } }, 'warning', /of root/],
  [
    'CAP_SYS_RESOURCE',
    { files: { '/proc/self/status': 'Uid:\t0\t0\t0\nCapEff:\t000001fffeffffff\n' } },
    'warning',
    /rlimits/,
  ],
  ['cgroups', { files: { '/proc/self/mounts': '' } }, 'failed', /no cgroup file system/],
  [
    'cgroups',
    { files: { '/proc/self/mounts': `${v1}c /u cgroup2 rw 0 0` } },
    'ok',
    /^hybrid; .*failCgroupV1/,
  ],
  ['controllers', { files: { '/proc/self/mounts': v1 } }, 'warning', /^pids, cpuset missing/],
  ['seccomp', { files: { '/proc/sys/kernel/seccomp/actions_avail': undefined } }, 'failed', /no seccomp/],
  [
    'user namespaces',
    { files: { '/proc/sys/user/max_user_namespaces': '0' } },
    'warning',
    /hostUsers: false/,
  ],
  ['pressure', { files: { '/proc/pressure/cpu': undefined } }, 'warning', /PSI/],
  ['overlay', { files: { '/proc/filesystems': 'nodev\tmyoverlay\n' } }, 'failed', /load the module/],
  ['data directory', { disks: { '/data': { ...disk, type: 'overlay' } } }, 'failed', /cannot carry/],
  ['data directory', { disks: { '/data': { ...disk, type: 'tmpfs' } } }, 'warning', /a reboot takes them/],
  ['disk', { disks: { '/data': { ...disk, freeBytes: 2 ** 30 } } }, 'warning', /^1.0 GiB free/],
  ['disk', { disks: { '/data': { ...disk, freeInodes: 12 } } }, 'warning', /12 inodes/],
  ['run directory', { disks: { '/run/keelson': disk } }, 'warning', /is on ext4, not in memory/],
  ['idmapped mounts', { disks: { '/data': { ...disk, type: 'zfs' } } }, 'warning', /not on zfs/],
  ['nftables', { programs: ['criu'] }, 'failed', /install the package/],
  ['criu', { programs: ['nft'] }, 'warning', /cannot be checkpointed/],
  ['forwarding', { mayWrite: false }, 'failed', /cannot be written/],
  ['CNI', { files: { [cniPath]: plugins } }, 'warning', /wants the plugin bridge, host-local/],
  [
    'CNI',
    { files: { [cniPath]: plugins, '/opt/cni/bin/bridge': '', '/usr/lib/cni/host-local': '' } },
    'ok',
    /bridge, host-local$/,
  ],
  ['IPv6', { files: { '/proc/sys/net/ipv6/conf/all/disable_ipv6': '1' } }, 'warning', /IPv4 addresses only/],
  ['inotify', { files: { '/proc/sys/fs/inotify/max_user_instances': '8' } }, 'warning', /^8 instances/],
  ['processes', { files: { '/proc/sys/kernel/pid_max': '1000' } }, 'warning', /^1000 at most/],
  [
    'open files',
    { files: { '/proc/self/limits': 'Max open files 1024 4096 files' } },
    'warning',
    /^4096 at most/,
  ],
] as const)
  test(`${name}: ${detail.source}`, (t) => {
    const found = checkMachine(places, machine(other)).find((one) => one.name === name)
    t.is(found?.result, result)
    t.regex(found?.detail ?? '', detail)
  })

test('what cannot be looked at hides nothing else', (t) => {
  const broken: Host = {
    ...machine({}),
    fileSystem: () => {
      throw new Error('no such disk')
    },
  }
  const found = checkMachine(places, broken)
  t.is(found.length, checkMachine(places, machine({})).length)
  t.deepEqual(
    found.find(({ name }) => name === 'disk'),
    { name: 'disk', result: 'warning', detail: 'cannot be told: no such disk' },
  )
})

test('this machine is as it is', async (t) => {
  t.is(
    checkMachine(places, thisMachine)[0]?.detail,
    readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
  )
  const { stdout } = await promisify(execFile)(launcher, [
    'doctor',
    '--json',
    '--data-dir',
    '/var/tmp/none',
  ]).catch((error: { stdout: string }) => error)
  const found: unknown[] = JSON.parse(stdout)
  t.is(found.length, checkMachine(places, machine({})).length)
})
