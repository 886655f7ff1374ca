import test from 'ava'
import { compileRestore, type MadeForCriu } from '../../../src/oci/compile/restore.ts'
import { decodePlan, encodePlan, type Plan } from '../../../src/oci/plan/index.ts'
import { compileRequest } from '../../support/compile-request.ts'

const spec = { ociVersion: '1.2.0', process: { cwd: '/', args: ['x'] }, linux: { namespaces: [] } }

const names = ({ parent, child }: Plan) => [...parent, ...child].map(({ op }) => op)

function compiled(isFile: (fd: number) => boolean = () => false) {
  let made: MadeForCriu | undefined
  const request = compileRequest(spec, {
    namespaceFds: { network: 30, ipc: 31 },
    mountFds: { '/dev/shm': 32, '/file': 33 },
    layerMounts: { '/volume': { lower: ['/l'], path: 'in' } },
  })
  const { plan, inherited } = compileRestore(request, {
    path: '/sbin/criu',
    environment: ['PATH=/bin'],
    isFile,
    args(given) {
      made = given
      return ['restore']
    },
  })
  return { plan, inherited, made }
}

test('the child is criu, with root, mounts and descriptors where it is told that they are', (t) => {
  const { plan, inherited, made } = compiled()
  t.deepEqual(inherited, [20, 21, 30, 31, 32, 33])
  t.deepEqual(made, {
    root: '/state/one/criu-root',
    pidFile: '/state/one/criu.pid',
    mounts: {
      '/dev/shm': '/state/one/criu-mount-0',
      '/file': '/state/one/criu-mount-1',
      '/volume': '/state/one/criu-mount-2',
    },
    namespaces: [
      ['net', 3],
      ['ipc', 4],
    ],
  })
  t.deepEqual(
    plan.child.flatMap((one) => (one.op === 'attachRoot' ? [one.place] : [])),
    [...Object.values(made?.mounts ?? {}), made?.root],
  )
  t.deepEqual(plan.child.at(-1), { op: 'execute', args: ['/sbin/criu', 'restore'], env: ['PATH=/bin'] })
  t.deepEqual(names(decodePlan(encodePlan(plan))), names(plan))
})

test('its monitor knows the process before it answers, and answers before it lets go', (t) => {
  const steps = compiled().plan.parent.map(({ op }) => op)
  const order = [
    'clone',
    'adoptRestored',
    'recordProcess',
    'reportCreated',
    'awaitCommit',
    'monitor',
  ] as const
  const places = order.map((op) => steps.indexOf(op))
  t.false(places.includes(-1))
  t.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  )
})

test('a mount of a file needs a file to be attached to', (t) => {
  const { plan } = compiled((fd) => fd === 33)
  const directories = plan.parent.flatMap((one) => (one.op === 'makeDirectory' ? [one.path] : []))
  t.false(directories.includes('/state/one/criu-mount-1'))
  t.true(plan.parent.some((one) => one.op === 'openPath' && one.path === '/state/one/criu-mount-1'))
})

test('without a root there is nothing to restore into', (t) => {
  const { rootfs: _, ...request } = compileRequest(spec)
  const program = { path: '/c', environment: [], args: () => [], isFile: () => false }
  t.throws(() => compileRestore(request, program), { message: /needs a root/ })
})
