import test from 'ava'
import type { NamespacePlan } from '../../../src/oci/compile/namespaces.ts'
import { boundInstead, guardSys, isForeign } from '../../../src/oci/compile/user-mounts.ts'
import { MOUNT_ATTR, parseMountOptions } from '../../../src/oci/mount-options.ts'
import type { NamespaceType } from '../../../src/oci/runtime.ts'

function namespaces(user: NamespacePlan['user'], made: NamespaceType[], joined: NamespaceType[] = []) {
  return {
    user,
    has: (type: NamespaceType) => made.includes(type) || joined.includes(type),
    makes: (type: NamespaceType) => made.includes(type),
  } as NamespacePlan
}

test('who may mount what shows a namespace', (t) => {
  const mount = (type: string) => ({ destination: '/x', type })
  const cases: [string, NamespacePlan, boolean][] = [
    ['sysfs', namespaces('none', []), false],
    ['sysfs', namespaces('new', ['network']), false],
    ['sysfs', namespaces('new', []), true],
    ['sysfs', namespaces('new', [], ['network']), true],
    ['sysfs', namespaces('joined', [], ['network']), false],
    ['proc', namespaces('new', ['pid']), false],
    ['proc', namespaces('new', []), true],
    ['mqueue', namespaces('new', []), true],
    ['tmpfs', namespaces('new', []), false],
  ]
  for (const [type, plan, foreign] of cases) t.is(isForeign(mount(type), plan), foreign, type)
})

test('/sys of the host is read-only with everything below it, /proc is as it is', (t) => {
  const options = parseMountOptions(['nosuid'])
  const [sys, sysOptions] = boundInstead({ destination: '/sys', type: 'sysfs' }, options)
  t.like(sys, { type: 'bind', source: '/sys', destination: '/sys' })
  t.is(sysOptions.recursive.set, MOUNT_ATTR.NOSUID | MOUNT_ATTR.RDONLY)
  const [, procOptions] = boundInstead({ destination: '/proc', type: 'proc' }, options)
  t.is(procOptions.recursive.set, MOUNT_ATTR.NOSUID)
})

test('CVE-2023-25809: what a user namespace binds below /sys is read-only, whatever it asked for', (t) => {
  const options = parseMountOptions(['rbind', 'rrw'])
  const bind = (source: string) => ({ destination: '/x', type: 'bind', source })
  const readOnly = (source: string, user: NamespacePlan['user']) =>
    (guardSys(bind(source), options, namespaces(user, [])).recursive.set & MOUNT_ATTR.RDONLY) !== 0
  for (const source of ['/sys', '/sys/', '/sys/fs/cgroup', '/proc/../sys'])
    t.true(readOnly(source, 'new'), source)
  t.false(readOnly('/sysroot', 'new'))
  t.false(readOnly('/sys', 'none'))
})
