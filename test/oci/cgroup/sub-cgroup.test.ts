import test from 'ava'
import fc from 'fast-check'
import { subCgroups } from '../../../src/oci/cgroup/sub-cgroup.ts'

const hierarchy = (name: string, controllers = name.split(',')) => ({
  controllers,
  mountPoint: `/c/${name}`,
  own: '/',
})
const layout = {
  mode: 'hybrid',
  v1: [hierarchy('cpu,cpuacct'), hierarchy('pids')],
  v2: hierarchy('unified', ['hugetlb']),
} as const
const hybrid = { ...layout, v1: [...layout.v1] }
const groups = { tasksFiles: ['/c/cpu,cpuacct/x/tasks', '/c/pids/x/tasks'], v2Directory: '/c/unified/x' }

test('without an option everything stays', (t) => {
  t.deepEqual(subCgroups(groups, [], hybrid), groups)
})

test('a path alone is for v2, with controllers for their hierarchies', (t) => {
  t.is(subCgroups(groups, ['a/b'], hybrid).v2Directory, '/c/unified/x/a/b')
  t.deepEqual(subCgroups(groups, ['cpu:a', 'pids:b'], hybrid), {
    tasksFiles: ['/c/cpu,cpuacct/x/a/tasks', '/c/pids/x/b/tasks'],
    v2Directory: '/c/unified/x',
  })
  t.deepEqual(subCgroups(groups, ['cpu,pids:/a'], hybrid).tasksFiles, [
    '/c/cpu,cpuacct/x/a/tasks',
    '/c/pids/x/a/tasks',
  ])
})

test('what is wrong is named', (t) => {
  for (const [word, message] of [
    ['..', /leaves/],
    ['cpu:a/../../b', /leaves/],
    [':a', /empty/],
    ['cpu,:a', /empty/],
    ['memory:a', /no such cgroup/],
  ] as const)
    t.throws(() => subCgroups(groups, [word], hybrid), { message, code: 'INVALID_ARGUMENT' }, word)
  t.throws(() => subCgroups(groups, ['cpu:a', 'cpu:b'], hybrid), { message: /already/ })
  t.throws(() => subCgroups({ ...groups, v2Directory: undefined }, ['a'], { ...hybrid, mode: 'v1' }), {
    message: /no such cgroup/,
  })
})

test('no word leads out of the container’s own cgroups', (t) => {
  const part = fc.constantFrom('..', '.', 'a', '', '/', 'cpu', ':', ',', 'pids')
  fc.assert(
    fc.property(fc.array(fc.array(part, { maxLength: 6 }), { maxLength: 3 }), (words) => {
      try {
        const { tasksFiles, v2Directory } = subCgroups(
          groups,
          words.map((one) => one.join('/')),
          hybrid,
        )
        for (const [index, file] of tasksFiles.entries())
          t.true(file.startsWith((groups.tasksFiles[index] ?? '').replace(/tasks$/, '')))
        t.true(v2Directory?.startsWith(groups.v2Directory))
      } catch (error) {
        t.is((error as { code?: string }).code, 'INVALID_ARGUMENT')
      }
    }),
  )
})
