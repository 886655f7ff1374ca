import test from 'ava'
import { compileExec, type ExecCompileRequest } from '../../../src/oci/compile/exec.ts'

const request: ExecCompileRequest = {
  process: { args: ['/bin/true'], cwd: '/', terminal: true },
  seccomp: undefined,
  pidfd: 5,
  namespaces: ['mount', 'pid'],
  tasksFiles: ['/cgroup/tasks'],
  v2Directory: undefined,
  stdio: [undefined, undefined, undefined],
  fileLimit: { soft: 1024n, hard: 1024n },
  preserveFds: 0,
  detached: { consoleSocket: '/run/console.sock' },
  orphanSignal: 1,
}

test('paths of the caller are opened before the container is entered: its cgroups, its console socket', (t) => {
  const names = compileExec(request).plan.parent.map(({ op }) => op)
  const entered = names.indexOf('enterProcess')
  t.true(entered > 0)
  t.true(names.lastIndexOf('openPath') < entered)
  t.true(names.indexOf('connect') > 0 && names.indexOf('connect') < entered)
  t.true(names.indexOf('sendTerminal') > entered)
})

test('a terminal without a console socket goes to the starter', (t) => {
  const { parent } = compileExec({ ...request, detached: undefined }).plan
  t.false(parent.some(({ op }) => op === 'connect'))
  t.like(
    parent.find(({ op }) => op === 'sendTerminal'),
    { socket: 0xffffffff },
  )
})
