import test from 'ava'
import { dumpArguments, restoreArguments } from '../../../src/oci/criu/arguments.ts'

const nothing = {
  pid: 7,
  freezer: undefined,
  externalMounts: [],
  externalNamespaces: [],
  externalFiles: [],
  config: undefined,
}
const place = {
  root: '/state/root',
  pidFile: '/state/pid',
  externalMounts: [],
  inherited: [],
  joined: [],
  cgroups: [],
  config: undefined,
  sibling: false,
}

test('the plainest dump and restore', (t) => {
  t.is(
    dumpArguments({ imagePath: '/i' }, nothing).join(' '),
    'dump --images-dir /i --log-file dump.log -v4 --manage-cgroups=soft --tree 7',
  )
  t.is(
    restoreArguments({ imagePath: '/i' }, place).join(' '),
    'restore --images-dir /i --log-file restore.log -v4 --manage-cgroups=soft ' +
      '--restore-detached --root /state/root --pidfile /state/pid',
  )
})

/** Each option of the command line, and the words of criu that it becomes. */
const dumps: [Parameters<typeof dumpArguments>[0], string][] = [
  [{ imagePath: '/i', workPath: '/w' }, '--work-dir /w'],
  [{ imagePath: '/i', tcpEstablished: true }, '--tcp-established'],
  [{ imagePath: '/i', externalUnixSockets: true }, '--ext-unix-sk'],
  [{ imagePath: '/i', shellJob: true }, '--shell-job'],
  [{ imagePath: '/i', fileLocks: true }, '--file-locks'],
  [{ imagePath: '/i', autoDedup: true }, '--auto-dedup'],
  [{ imagePath: '/i', emptyNamespace: 'network' }, '--empty-ns net'],
  [{ imagePath: '/i', manageCgroups: 'strict' }, '--manage-cgroups=strict'],
  [{ imagePath: '/i', leaveRunning: true }, '--leave-running'],
  [{ imagePath: '/i', linkRemap: true }, '--link-remap'],
  [{ imagePath: '/i', tcpSkipInFlight: true }, '--skip-in-flight'],
  [{ imagePath: '/i', parentPath: '../p' }, '--prev-images-dir ../p --track-mem'],
  [{ imagePath: '/i', preDump: true }, '--track-mem'],
  [{ imagePath: '/i', pageServer: { address: 'h', port: 5 } }, '--page-server --address h --port 5'],
  [
    { imagePath: '/i', lazyPages: true, pageServer: { address: 'h', port: 5 }, statusFd: 9 },
    '--address h --port 5 --status-fd 9',
  ],
]

for (const [options, words] of dumps)
  test(`dump: ${words}`, (t) => {
    t.true(dumpArguments(options, nothing).join(' ').includes(words))
    t.is(dumpArguments(options, nothing)[0], options.preDump ? 'pre-dump' : 'dump')
  })

test('what lies outside is named at the dump and given at the restore', (t) => {
  const dump = dumpArguments(
    { imagePath: '/i' },
    {
      ...nothing,
      freezer: '/f',
      externalMounts: ['/data'],
      externalNamespaces: [{ kind: 'net', inode: 4026n }],
      externalFiles: ['file[1f:2a]'],
      config: '/c',
    },
  ).join(' ')
  t.true(dump.includes('--config /c'))
  t.true(
    dump.endsWith(
      '--freeze-cgroup /f --external mnt[/data]:/data --external net[4026]:extRootNetNS --external file[1f:2a]',
    ),
  )
  const restore = restoreArguments(
    { imagePath: '/i', lsmProfile: 'apparmor:x', lsmMountContext: 'y' },
    {
      ...place,
      externalMounts: [['/data', '/srv']],
      inherited: [
        [0, 'pipe:[7]'],
        [3, 'extRootNetNS'],
      ],
      joined: [['ipc', '/proc/1/ns/ipc']],
      cgroups: [
        { controller: 'cpu,cpuacct', path: '/x' },
        { controller: '', path: '/y' },
      ],
      sibling: true,
    },
  ).join(' ')
  t.true(restore.includes('--restore-sibling'))
  t.true(
    restore.endsWith(
      '--lsm-profile apparmor:x --lsm-mount-context y --external mnt[/data]:/srv ' +
        '--inherit-fd fd[0]:pipe:[7] --inherit-fd fd[3]:extRootNetNS --join-ns ipc:/proc/1/ns/ipc ' +
        '--cgroup-root cpu,cpuacct:/x --cgroup-root /y',
    ),
  )
})
