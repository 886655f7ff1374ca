import test from 'ava'
import { LinuxContainerSecurityContext, SecurityProfile_ProfileType as Type } from '../../../cri/types.ts'
import { hasCode } from '../../../src/base/index.ts'
import { appArmorProfile } from '../../../src/pod/spec/apparmor.ts'

const of = (context: object, host = true) =>
  appArmorProfile(LinuxContainerSecurityContext.fromPartial(context), host)
const localhost = (localhostRef: string) => ({ apparmor: { profileType: Type.Localhost, localhostRef } })

test('only a profile with a name confines; the newer field counts', (t) => {
  t.is(appArmorProfile(undefined, true), undefined)
  for (const apparmorProfile of ['', 'unconfined', 'runtime/default'])
    t.is(of({ apparmorProfile }, false), undefined)
  for (const profileType of [Type.RuntimeDefault, Type.Unconfined])
    t.is(
      of({ apparmor: { profileType, localhostRef: '' }, apparmorProfile: 'localhost/x' }, false),
      undefined,
    )
  t.is(of(localhost('mine')), 'mine')
  t.is(of({ ...localhost('localhost/mine'), apparmorProfile: 'localhost/other' }), 'mine')
  t.is(of({ apparmorProfile: 'localhost/mine' }), 'mine')
})

test('what cannot be enforced or read is refused', (t) => {
  t.true(
    hasCode(
      t.throws(() => of(localhost('mine'), false), { message: /no AppArmor/ }),
      'FAILED_PRECONDITION',
    ),
  )
  const wrong = [
    localhost(''),
    { apparmor: { profileType: Type.RuntimeDefault, localhostRef: 'x' } },
    { apparmorProfile: 'mine' },
    { apparmorProfile: 'localhost/' },
  ]
  for (const one of wrong)
    t.true(
      hasCode(
        t.throws(() => of(one)),
        'INVALID_ARGUMENT',
      ),
    )
})
