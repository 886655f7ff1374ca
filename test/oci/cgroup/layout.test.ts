import test from 'ava'
import { parseCgroupLayout } from '../../../src/oci/cgroup/layout.ts'

const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate`

test('hybrid: each hierarchy with its controllers and our place in it', (t) => {
  const layout = parseCgroupLayout({
    mountinfo: hybrid,
    cgroup: '4:memory:/a/b\n2:cpu,cpuacct:/\n1:name=systemd:/s\n0::/u',
    v2Controllers: () => 'hugetlb\n',
  })
  t.deepEqual(layout, {
    mode: 'hybrid',
    v1: [
      { controllers: ['cpu', 'cpuacct'], mountPoint: '/sys/fs/cgroup/cpu,cpuacct', own: '/' },
      { controllers: ['memory'], mountPoint: '/sys/fs/cgroup/memory', own: '/a/b' },
      { controllers: ['name=systemd'], mountPoint: '/sys/fs/cgroup/systemd', own: '/s' },
    ],
    v2: { controllers: ['hugetlb'], mountPoint: '/sys/fs/cgroup/unified', own: '/u' },
  })
})

test('v2 alone, mounted with a part of the tree and a blank in its path', (t) => {
  const layout = parseCgroupLayout({
    mountinfo: '30 23 0:26 /box /mnt/my\\040cg rw - cgroup2 cgroup2 rw',
    cgroup: '0::/box/inner\n',
    v2Controllers: (mountPoint) => (mountPoint === '/mnt/my cg' ? 'cpu io memory pids' : ''),
  })
  t.is(layout.mode, 'v2')
  t.like(layout.v2, { own: '/inner', controllers: ['cpu', 'io', 'memory', 'pids'] })
})

test('the same v1 hierarchy mounted twice counts once', (t) => {
  const line = (path: string) => `35 31 0:32 / ${path} rw - cgroup cgroup rw,memory`
  const layout = parseCgroupLayout({
    mountinfo: `${line('/one')}\n${line('/two')}`,
    cgroup: '',
    v2Controllers: () => '',
  })
  t.deepEqual(layout, { mode: 'v1', v1: [{ controllers: ['memory'], mountPoint: '/one', own: '/' }] })
})

test('a hierarchy that lies under another mount is none of ours', (t) => {
  const layout = parseCgroupLayout({
    mountinfo: `${hybrid}\n50 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw`,
    cgroup: '4:memory:/a\n0::/u',
    v2Controllers: () => 'hugetlb',
    deviceAt: (path) => (path === '/sys/fs/cgroup' ? '0:38' : undefined),
  })
  t.deepEqual(layout, {
    mode: 'v2',
    v1: [],
    v2: { controllers: ['hugetlb'], mountPoint: '/sys/fs/cgroup', own: '/u' },
  })
})

test('no cgroup file system is an error with a hint', (t) => {
  const error = t.throws(() => parseCgroupLayout({ mountinfo: '', cgroup: '', v2Controllers: () => '' }))
  t.like(error, { code: 'FAILED_PRECONDITION' })
})
