import test from 'ava'
import { formatPlan } from '../../../src/oci/plan/index.ts'
import { barriers, noFd } from '../../../src/oci/plan/operations.ts'

test('one side after the other, cut where it waits, with names for bits, slots and barriers', (t) => {
  const lines = formatPlan(
    {
      parent: [
        { op: 'makeDirectory', path: '/sys/fs/cgroup/x', mode: 0o755 },
        { op: 'openPath', path: '/sys/fs/cgroup/x', flags: 0o10000000, to: 1 },
        { op: 'clone', flags: 0x20020000n, cgroup: 1 },
        { op: 'await', barrier: barriers.joined },
        { op: 'signal', barrier: barriers.committed },
        { op: 'leave' },
      ],
      child: [
        { op: 'newSession' },
        { op: 'signal', barrier: barriers.joined },
        { op: 'await', barrier: barriers.committed },
        { op: 'placeStdio', stdin: 0, stdout: noFd, stderr: noFd },
        { op: 'execute', args: ['sh', '-c', 'x'], env: [] },
      ],
    },
    ['standard input'],
  )
  t.deepEqual(lines, [
    'parent: keelson-init',
    '     0  makeDirectory      path="/sys/fs/cgroup/x" mode=0755',
    '     1  openPath           path="/sys/fs/cgroup/x" flags=PATH to=#1[/sys/fs/cgroup/x]',
    '     2  clone              flags=NEWNS|NEWPID cgroup=#1[/sys/fs/cgroup/x]',
    'child: the container’s side',
    '     0  newSession',
    '     1  signal             joined ──▶ parent',
    'parent',
    '     3  await              joined ◀── child',
    '     4  signal             committed ──▶ child',
    '     5  leave',
    'child',
    '     2  await              committed ◀── parent',
    '     3  placeStdio         stdin=#0[standard input] stdout=- stderr=-',
    '     4  execute            args=["sh","-c","x"] env=[]',
  ])
})

test('a barrier that nobody signals does not hold up the reader', (t) => {
  const plan = { parent: [{ op: 'await', barrier: barriers.joined } as const], child: [] }
  t.deepEqual(formatPlan(plan), ['parent: keelson-init', '     0  await              joined ◀── child'])
})

test('masks, limits and bytes as people write them', (t) => {
  const lines = formatPlan({
    parent: [],
    child: [
      { op: 'setRlimit', resource: 7, soft: 1024n, hard: 2n ** 64n - 1n },
      { op: 'dropBounding', kept: 0x21n },
      { op: 'setIdentity', uid: 1, gid: 2, groups: new Uint8Array(Uint32Array.of(5, 7).buffer), umask: 0o22 },
      { op: 'adjustOomScore', score: -500 >>> 0 },
      { op: 'loadSeccomp', program: new Uint8Array(16), flags: 0 },
      {
        op: 'mountTree',
        tree: noFd,
        target: '/x',
        flags: 0,
        set: 0x21n,
        clear: 0x70n,
        recursiveSet: 0n,
        recursiveClear: 1n,
        propagation: new Uint8Array(Uint32Array.of(1 << 19, (1 << 20) | 16384).buffer),
      },
    ],
  })
  t.deepEqual(
    lines.slice(1).map((line) => line.replace(/^ *\d+ +/, '')),
    [
      'setRlimit          resource=RLIMIT_NOFILE soft=1024 hard=infinity',
      'dropBounding       kept=CAP_CHOWN,CAP_KILL',
      'setIdentity        uid=1 gid=2 groups=5,7 umask=022',
      'adjustOomScore     score=-500',
      'loadSeccomp        program=2 instructions flags=0',
      'mountTree          tree=- target="/x" flags=0 set=RDONLY|STRICTATIME clear=ATIME recursiveSet=0 recursiveClear=RDONLY propagation=SLAVE,SHARED|REC',
    ],
  )
})
