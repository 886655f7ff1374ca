import test from 'ava'
import fc from 'fast-check'
import { KeelsonError } from '../../src/base/index.ts'
import { parseSysctlName } from '../../src/kernel/index.ts'

test('dots and slashes are read as sysctl(8) reads them', (t) => {
  t.deepEqual(parseSysctlName('net.ipv4.ip_forward'), { namespace: 'network', path: 'net/ipv4/ip_forward' })
  t.is(parseSysctlName('net/ipv4/conf/eth0.1/forwarding').path, 'net/ipv4/conf/eth0.1/forwarding')
  t.is(parseSysctlName('net.ipv4.conf.eth0/1.forwarding').path, 'net/ipv4/conf/eth0.1/forwarding')
  t.is(parseSysctlName('kernel.shm_rmid_forced').namespace, 'ipc')
  t.is(parseSysctlName('fs.mqueue.msg_max').namespace, 'ipc')
})

test("the host's own sysctls are refused, and a path never leaves its place", (t) => {
  for (const name of [
    'vm.swappiness',
    'kernel.panic',
    'kernel.shm',
    'fs.file-max',
    'net',
    '',
    'net.',
    'net/../vm/swappiness',
  ])
    t.throws(() => parseSysctlName(name), { code: 'INVALID_ARGUMENT' }, name)
  fc.assert(
    fc.property(fc.stringMatching(/^(net|kernel)([./a-z]{0,12}|\.\.)*$/), (name) => {
      try {
        const { path } = parseSysctlName(name)
        return !path.split('/').some((part) => part === '..' || part === '')
      } catch (error) {
        return error instanceof KeelsonError
      }
    }),
  )
})
