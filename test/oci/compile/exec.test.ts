import test from 'ava'
import { compileExec } from '../../../src/oci/compile/exec.ts'
import { execRequest } from '../../support/compile-request.ts'

const request = execRequest({
  process: { args: ['/bin/true'], cwd: '/', terminal: true },
  stdio: [undefined, undefined, undefined],
  detached: { consoleSocket: '/run/console.sock' },
})

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

test('an exec joins the resctrl groups of its container before its program runs', (t) => {
  const { parent, child } = compileExec({ ...request, rdt: { groups: ['/sys/fs/resctrl/gold'] } }).plan
  const names = parent.map(({ op }) => op)
  t.true(names.indexOf('clone') < names.indexOf('enrolChild'))
  t.true(names.indexOf('enrolChild') < names.indexOf('signal'))
  t.true(child.some(({ op }) => op === 'await'))
  t.true(
    parent.some((one) => one.op === 'openPath' && one.path === '/sys/fs/resctrl/gold/tasks'),
    'opened while its path means the host’s',
  )
})

test('an exec that goes waits for nobody, unless its parent has something to do before the program runs', (t) => {
  const names = (more: object) => {
    const { parent, child } = compileExec(execRequest({ goes: true, ...more })).plan
    return [...parent, ...child].map(({ op }) => op)
  }
  for (const word of ['await', 'signal', 'reportCreated', 'awaitCommit'] as const)
    t.false(names({}).includes(word))
  t.true(names({}).includes('reportStarted'))
  for (const more of [
    { process: { args: ['/bin/true'], cwd: '/', terminal: true } },
    { pidfdSocket: '/run/pidfd.sock' },
    { rdt: { groups: ['/sys/fs/resctrl/gold'] } },
  ]) {
    t.true(names(more).includes('await'))
    t.false(names(more).includes('awaitCommit'))
  }
})

test('a prepared exec waits until it is told to go on', (t) => {
  const { parent } = compileExec(execRequest()).plan
  const names = parent.map(({ op }) => op)
  t.true(names.indexOf('reportCreated') < names.indexOf('awaitCommit'))
  t.true(names.indexOf('awaitCommit') < names.indexOf('reportStarted'))
})
