/**
 * Every string of a configuration that becomes a part of a path on the host: refused, or a name and nothing else
 * (runc#4103, crun's delegate-cgroup). What lies in the container's root is resolved by the kernel below it instead.
 */
import test from 'ava'
import { asKeelsonError } from '../../src/base/index.ts'
import type { CgroupLayout } from '../../src/oci/cgroup/layout.ts'
import { subCgroups } from '../../src/oci/cgroup/sub-cgroup.ts'
import { compileCreate } from '../../src/oci/compile/create.ts'
import { isContainerId } from '../../src/oci/container-id.ts'
import type { Operation } from '../../src/oci/plan/operations.ts'
import type { Spec } from '../../src/oci/spec.ts'
import { validateSpec } from '../../src/oci/validate.ts'
import { compileRequest } from '../support/compile-request.ts'
import { plainSpec } from '../support/container.ts'

const hostile = [
  ...['..', '.', '', '/', '../x', 'a/../../b', '/etc/passwd', '2MB/../../x', './../x', 'x/', 'a//b'],
  ...['a\0b', 'a\nb', 'a b', '\u001b[2J', '+x', '-x', 'ü', '\ud800', '%2e%2e', 'x'.repeat(300), '2MB\n1'],
]

type Change = (spec: Required<Pick<Spec, 'process' | 'linux'>> & Spec, name: string) => void

const places: Record<string, Change> = {
  'linux.resources.hugepageLimits[0].pageSize': ({ linux }, pageSize) => {
    linux.resources = { hugepageLimits: [{ pageSize, limit: 1 }] }
  },
  'linux.resources.unified': ({ linux }, name) => {
    linux.resources = { unified: { [name]: '1' } }
  },
  'linux.resources.rdma': ({ linux }, name) => {
    linux.resources = { rdma: { [name]: { hcaHandles: 1 } } }
  },
  'linux.sysctl': ({ linux }, name) => {
    linux.sysctl = { [`net.${name}`]: '1' }
  },
  'linux.netDevices': ({ linux }, name) => {
    linux.netDevices = { [name]: {} }
  },
  'linux.intelRdt.closID': ({ linux }, closID) => {
    linux.intelRdt = { closID }
  },
  'annotations: delegate-cgroup': (spec, name) => {
    spec.annotations = { 'run.oci.delegate-cgroup': name, 'run.oci.systemd.subgroup': name }
  },
}

const hostOperations = new Set([
  'makeDirectory',
  'writeFile',
  'openPath',
  'openLogFile',
  'joinCgroup',
  'inheritSetting',
])

/** Of operations on the host's own files. */
function hostPaths(operations: readonly Operation[]): string[] {
  return operations.flatMap((one) => {
    if (one.op === 'writeSysctl') return [one.name]
    const onHost = hostOperations.has(one.op)
    return onHost && 'path' in one ? [one.path] : []
  })
}

for (const [place, change] of Object.entries(places))
  test(`${place}: climbs nowhere and splits nothing`, (t) => {
    const good = hostPaths(compileCreate(compileRequest(plainSpec(['true']))).plan.parent)
    let refused = 0
    for (const name of hostile) {
      const spec = plainSpec(['true'], (one) => change(one, name))
      try {
        const { parent, child } = compileCreate(compileRequest(validateSpec(spec))).plan
        const paths = [...hostPaths(parent), ...hostPaths(child)].filter((path) => !good.includes(path))
        for (const path of paths) {
          t.false(path.split('/').includes('..'), `${JSON.stringify(name)} gives ${path}`)
          t.notRegex(path, /\p{Cc}/u, name)
        }
      } catch (cause) {
        const error = asKeelsonError(cause)
        t.true(
          ['INVALID_ARGUMENT', 'UNIMPLEMENTED', 'FAILED_PRECONDITION'].includes(error.code),
          error.message,
        )
        refused++
      }
    }
    if (!place.startsWith('annotations')) t.true(refused >= 5, `${refused} were refused`)
  })

test('container ids and the cgroup of an exec', (t) => {
  const v2 = { controllers: ['pids'], mountPoint: '/sys/fs/cgroup', own: '/' }
  const layout: CgroupLayout = { mode: 'v2', v1: [], v2 }
  const groups = { tasksFiles: [], v2Directory: '/sys/fs/cgroup/box' }
  for (const name of hostile) {
    if (isContainerId(name)) t.regex(name, /^[\w+.-]+$/)
    try {
      const directory = subCgroups(groups, [name], layout).v2Directory ?? ''
      t.true(directory === '/sys/fs/cgroup/box' || directory.startsWith('/sys/fs/cgroup/box/'), directory)
    } catch (cause) {
      t.is(asKeelsonError(cause).code, 'INVALID_ARGUMENT')
    }
  }
  t.false(['..', '.', 'a/b', '', 'a\nb'].some(isContainerId))
})
