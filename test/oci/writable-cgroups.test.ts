import test from 'ava'
import type { CgroupLayout } from '../../src/oci/cgroup/layout.ts'
import { writableLayout } from '../../src/oci/writable-cgroups.ts'

const pids = { controllers: ['pids'], mountPoint: '/none/pids', own: '/' }
const cpu = { controllers: ['cpu'], mountPoint: '/none/cpu', own: '/mine' }
const layout: CgroupLayout = {
  mode: 'hybrid',
  v1: [pids, cpu],
  v2: { controllers: [], mountPoint: '/none/unified', own: '/user' },
}

test('a hierarchy stays where the deepest directory that is there may be written', (t) => {
  t.deepEqual(
    writableLayout(layout, '/a/b', (path) => path === '/none/cpu').v1.map(({ mountPoint }) => mountPoint),
    ['/none/cpu'],
  )
  t.deepEqual(
    writableLayout(layout, 'a', (path) => path === '/none/cpu/mine').v1.map(({ mountPoint }) => mountPoint),
    ['/none/cpu'],
  )
})

test('the v2 tree needs the right over the group that is left as well', (t) => {
  t.is(writableLayout(layout, 'a', (path) => path === '/none/unified/user').v2, undefined)
  t.truthy(writableLayout(layout, 'a', (path) => path.startsWith('/none/unified')).v2)
})

test('everything writable is the layout itself, nothing writable is no hierarchy', (t) => {
  t.deepEqual(
    writableLayout(layout, 'a', () => true),
    layout,
  )
  t.deepEqual(
    writableLayout(layout, 'a', () => false),
    { mode: 'hybrid', v1: [] },
  )
})
