import test from 'ava'
import {
  type DeepPartial,
  LinuxContainerSecurityContext,
  SecurityProfile_ProfileType as Type,
} from '../../../cri/types.ts'
import { seccompChoice } from '../../../src/pod/spec/seccomp.ts'

type Security = DeepPartial<LinuxContainerSecurityContext>

function choose(security: Security) {
  const choice = seccompChoice(LinuxContainerSecurityContext.fromPartial(security))
  return choice.kind === 'file' ? choice.path : choice.kind
}

test('which profile: the message, else the older string, else none', (t) => {
  t.is(seccompChoice(undefined).kind, 'none')
  t.is(choose({}), 'none')
  t.is(choose({ seccomp: { profileType: Type.RuntimeDefault } }), 'default')
  t.is(choose({ seccomp: { profileType: Type.Unconfined } }), 'none')
  t.is(choose({ seccomp: { profileType: Type.Localhost, localhostRef: '/p.json' } }), '/p.json')
  t.is(choose({ privileged: true, seccomp: { profileType: Type.RuntimeDefault } }), 'none')
  t.is(choose({ seccompProfilePath: 'runtime/default' }), 'default')
  t.is(choose({ seccompProfilePath: 'localhost//p.json' }), '/p.json')
  t.is(choose({ seccompProfilePath: 'runtime/default', seccomp: { profileType: Type.Unconfined } }), 'none')
})

test('refused: a reference without its type, a relative one, an unknown name', (t) => {
  t.throws(() => choose({ seccomp: { profileType: Type.RuntimeDefault, localhostRef: '/p' } }))
  t.throws(() => choose({ seccomp: { profileType: Type.Localhost, localhostRef: 'p' } }))
  t.throws(() => choose({ seccompProfilePath: 'mine' }))
})
