import test from 'ava'
import { compileAttributes, compileExecAffinity } from '../../../src/oci/compile/attributes.ts'

const program = { cwd: '/', args: ['true'] }

test('nothing is asked, nothing is done', (t) => {
  t.deepEqual(compileAttributes(program, undefined), [])
  t.deepEqual(compileAttributes(program, {}), [])
})

test('each attribute is an operation', (t) => {
  const process = {
    ...program,
    scheduler: { policy: 'SCHED_IDLE' },
    ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 },
  }
  const linux = { personality: { domain: 'LINUX32' }, memoryPolicy: { mode: 'MPOL_LOCAL' } }
  t.deepEqual(
    compileAttributes(process, linux).map(({ op }) => op),
    ['setPersonality', 'setMemoryPolicy', 'setScheduler', 'setIoPriority'],
  )
})

test('personality: what the specification does not have is refused', (t) => {
  const compile = (personality: { domain: string; flags?: string[] }) => () =>
    compileAttributes(program, { personality })
  t.like(t.throws(compile({ domain: 'BSD' })), { path: 'linux.personality.domain' })
  t.like(t.throws(compile({ domain: 'LINUX', flags: ['ADDR_NO_RANDOMIZE'] })), {
    path: 'linux.personality.flags',
  })
})

test('affinity of execs: the cpuset decides unless something is asked, and then only what is asked', (t) => {
  const mask = (bits: number) =>
    ({ op: 'setAffinity', mask: Uint8Array.of(bits, 0, 0, 0, 0, 0, 0, 0) }) as const
  const compile = (execCPUAffinity: object) => compileExecAffinity({ ...program, execCPUAffinity })
  t.deepEqual(compileExecAffinity(program), { initial: [], final: [{ op: 'resetAffinity' }] })
  t.deepEqual(compile({ initial: '0', final: '1' }), { initial: [mask(1)], final: [mask(2)] })
  t.deepEqual(compile({ initial: '0' }), { initial: [mask(1)], final: [] })
  t.deepEqual(compile({ final: '0-1' }), { initial: [], final: [mask(3)] })
})
