import test from 'ava'
import { containerFilter } from '../../../src/oci/seccomp/filter.ts'
import type { Seccomp } from '../../../src/oci/spec.ts'
import { plainHost } from '../../support/host-facts.ts'

const notify: Seccomp = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
}
const filter = (seccomp: Seccomp | undefined, annotations: Record<string, string> = {}) =>
  containerFilter({ annotations, linux: seccomp ? { seccomp } : {}, bundle: '/bundle', host: plainHost })

test('without a profile there is no filter, and without NOTIFY no listener', (t) => {
  t.is(filter(undefined), undefined)
  t.like(filter({ defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/agent.sock' }), { notify: false })
  t.false('listener' in (filter({ defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/agent.sock' }) ?? {}))
})

test('the listener: the profile’s, else that of crun’s annotation; relative to the bundle; with its metadata', (t) => {
  const receiver = { 'run.oci.seccomp.receiver': '/crun.sock' }
  t.deepEqual(filter({ ...notify, listenerPath: '/agent.sock' }, receiver)?.listener, { path: '/agent.sock' })
  t.deepEqual(filter({ ...notify, listenerMetadata: 'x' }, receiver)?.listener, {
    path: '/crun.sock',
    metadata: 'x',
  })
  t.deepEqual(filter({ ...notify, listenerPath: 'agent.sock' })?.listener, { path: '/bundle/agent.sock' })
})

test('NOTIFY without a listener and metadata without one are refused with their place', (t) => {
  t.like(
    t.throws(() => filter(notify)),
    { code: 'INVALID_ARGUMENT', path: 'linux.seccomp.listenerPath' },
  )
  t.like(
    t.throws(() => filter({ defaultAction: 'SCMP_ACT_ALLOW', listenerMetadata: 'x' })),
    { code: 'INVALID_ARGUMENT', path: 'linux.seccomp.listenerMetadata' },
  )
})

test('crun’s annotations: unknown names fail, raw BPF instead of the profile', (t) => {
  const odd: Seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['teleport'], action: 'SCMP_ACT_LOG' }],
  }
  const fail = 'run.oci.seccomp_fail_unknown_syscall'
  t.deepEqual(filter(odd, { [fail]: '0' })?.ignored, ['teleport'])
  t.throws(() => filter(odd, { [fail]: '1' }), { message: /unknown system call "teleport"/ })
  const allow = Buffer.from('060000000000ff7f', 'hex')
  const data = { 'run.oci.seccomp_bpf_data': allow.toString('base64') }
  t.deepEqual(filter(odd, data), { program: allow, flags: 4, notify: false, ignored: [] })
  t.deepEqual(filter(undefined, data)?.program, allow)
  t.like(filter(undefined, { ...data, 'run.oci.seccomp.receiver': '/crun.sock' }), {
    notify: true,
    flags: 4 | 8,
    listener: { path: '/crun.sock' },
  })
  for (const wrong of ['', 'AAAA', 'not base64!', Buffer.alloc(8 * 4097).toString('base64')])
    t.like(
      t.throws(() => filter(undefined, { 'run.oci.seccomp_bpf_data': wrong })),
      { code: 'INVALID_ARGUMENT', path: 'annotations["run.oci.seccomp_bpf_data"]' },
    )
})
