/** What a plan is compiled from, with everything that a test does not care about filled in. */
import type { CgroupLayout } from '../../src/oci/cgroup/layout.ts'
import type { ExecCompileRequest } from '../../src/oci/compile/exec.ts'
import type { CompileRequest } from '../../src/oci/compile/request.ts'
import { planCgroup, type Spec } from '../../src/oci/index.ts'
import type { Privileges } from '../../src/oci/privileges.ts'
import { plainHost } from './host-facts.ts'

const layout: CgroupLayout = {
  mode: 'v1',
  v1: [{ controllers: ['pids'], mountPoint: '/sys/fs/cgroup/pids', own: '/' }],
}

export const ordinaryUser: Privileges = {
  uid: 1001,
  gid: 1001,
  isRoot: false,
  subordinateUids: [],
  subordinateGids: [],
}

export function compileRequest(spec: Spec, more: Partial<CompileRequest> = {}): CompileRequest {
  const group = (path: string) => planCgroup({ layout, path, read: () => undefined })
  return {
    id: 'one',
    spec,
    bundle: '/bundle',
    rootfs: { kind: 'overlay', lower: ['/l2', '/l1'], upper: '/u', work: '/w' },
    namespaceFds: {},
    mountFds: {},
    privileges: { uid: 0, gid: 0, isRoot: true, subordinateUids: [], subordinateGids: [] },
    life: { kind: 'monitored', logPath: '/log' },
    directory: '/state/one',
    directoryFd: 20,
    lockFd: 21,
    cgroup: group('/k/one'),
    cgroupLayout: layout,
    host: plainHost,
    records: { 'state.json': '{}' },
    fileLimit: { soft: 1024n, hard: 4096n },
    ...more,
  }
}

/** What an exec into a container is compiled from. */
export function execRequest(more: Partial<ExecCompileRequest> = {}): ExecCompileRequest {
  return {
    process: { cwd: '/', args: ['/bin/true'] },
    id: 'box',
    linux: undefined,
    filter: undefined,
    state: { ociVersion: '1.2.0', id: 'one', status: 'running', bundle: '/', annotations: {} },
    landlock: undefined,
    host: plainHost,
    rdt: undefined,
    keepSessionKeyring: false,
    pidfd: 9,
    namespaces: ['mount', 'pid'],
    tasksFiles: ['/cgroup/tasks'],
    v2Directory: undefined,
    stdio: [0, 1, 2],
    fileLimit: { soft: 1024n, hard: 4096n },
    preserveFds: 0,
    detached: undefined,
    orphanSignal: 9,
    goes: false,
    ...more,
  }
}
