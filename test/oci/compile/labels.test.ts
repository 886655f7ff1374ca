import test from 'ava'
import { checkMountLabel, compileExecLabels, compileKeyring } from '../../../src/oci/compile/labels.ts'
import { contextOption, labelled } from '../../../src/oci/compile/mount-label.ts'
import { plainHost } from '../../support/host-facts.ts'

const program = { cwd: '/', args: ['true'] }
const label = 'system_u:system_r:container_t:s0:c1,c2'

test('AppArmor: the profile for exec, in the files of its own where the kernel has them', (t) => {
  const process = { ...program, apparmorProfile: 'strict' }
  const write = (name: string) => ({ op: 'writeAttribute', name, value: 'exec strict' }) as const
  t.deepEqual(compileExecLabels(process, { ...plainHost, appArmor: 'apparmor/' }), [write('apparmor/exec')])
  t.deepEqual(compileExecLabels(process, { ...plainHost, appArmor: '' }), [write('exec')])
  t.like(
    t.throws(() => compileExecLabels(process, plainHost)),
    { code: 'FAILED_PRECONDITION', path: 'process.apparmorProfile' },
  )
})

test('AppArmor: unconfined needs none, and is written where there is one', (t) => {
  const process = { ...program, apparmorProfile: 'unconfined' }
  t.deepEqual(compileExecLabels(process, plainHost), [])
  t.like(compileExecLabels(process, { ...plainHost, appArmor: '' })[0], { value: 'exec unconfined' })
  t.deepEqual(compileExecLabels({ ...program, apparmorProfile: '' }, plainHost), [])
})

test('SELinux: the process, and its keyring between setting and unsetting the label of new keys', (t) => {
  const process = { ...program, selinuxLabel: label }
  const host = { ...plainHost, seLinux: true }
  t.deepEqual(compileExecLabels(process, host), [{ op: 'writeAttribute', name: 'exec', value: label }])
  t.deepEqual(compileKeyring('_ses.x', process, host), [
    { op: 'writeAttribute', name: 'keycreate', value: label },
    { op: 'sessionKeyring', name: '_ses.x' },
    { op: 'writeAttribute', name: 'keycreate', value: '' },
  ])
  t.deepEqual(compileKeyring('_ses.x', program, host), [{ op: 'sessionKeyring', name: '_ses.x' }])
  t.like(
    t.throws(() => compileKeyring('_ses.x', process, plainHost)),
    { code: 'FAILED_PRECONDITION', path: 'process.selinuxLabel' },
  )
})

test('mount label: of file systems that take one, as crun’s annotation says, and refused without SELinux', (t) => {
  t.deepEqual(labelled('tmpfs', label), [`context=${label}`])
  t.deepEqual(labelled('proc', label), [])
  t.deepEqual(labelled('tmpfs', label, { 'run.oci.mount_context_type': 'rootcontext' }), [
    `rootcontext=${label}`,
  ])
  t.throws(() => labelled('tmpfs', label, { 'run.oci.mount_context_type': 'x' }), { message: /annotations/ })
  t.notThrows(() => checkMountLabel(label, { ...plainHost, seLinux: true }))
  t.notThrows(() => checkMountLabel('', plainHost))
  t.like(
    t.throws(() => checkMountLabel(label, plainHost)),
    { code: 'FAILED_PRECONDITION', path: 'linux.mountLabel' },
  )
})

test('quotes that mount(2) needs around the commas of a label are not part of it', (t) => {
  t.is(contextOption(`context="${label}"`), `context=${label}`)
  t.is(contextOption(`context=${label}`), `context=${label}`)
  t.is(contextOption('size="1m"'), 'size="1m"')
})
