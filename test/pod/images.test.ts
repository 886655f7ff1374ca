import test from 'ava'
import { AuthConfig } from '../../cri/types.ts'
import { registryAuth } from '../../src/pod/images.ts'

const basic = (text: string) => Buffer.from(text).toString('base64')
const of = (auth: Partial<AuthConfig>, host = 'quay.io') => registryAuth(AuthConfig.fromPartial(auth), host)

test('credentials of a pull: every form, and none', (t) => {
  t.deepEqual(of({ username: 'u', password: 'p' }), { username: 'u', password: 'p' })
  t.deepEqual(of({ auth: basic('u:p:q') }), { username: 'u', password: 'p:q' })
  t.deepEqual(of({ username: 'u', password: 'p', auth: basic('x:y') }), { username: 'u', password: 'p' })
  t.deepEqual(of({ registryToken: 'R' }), { registryToken: 'R' })
  t.deepEqual(of({ auth: basic('<token>:'), identityToken: 'I' }), {
    username: '<token>',
    password: '',
    identityToken: 'I',
  })
  t.is(of({}), undefined)
  t.throws(() => of({ auth: basic('nothing') }), { code: 'UNAUTHENTICATED', message: /quay\.io.*base64/ })
})

test('credentials that name a server are for that one alone', (t) => {
  const auth = { username: 'u', password: 'p' }
  for (const serverAddress of ['quay.io', 'https://quay.io', 'https://quay.io/v2/'])
    t.truthy(of({ ...auth, serverAddress }), serverAddress)
  for (const serverAddress of ['docker.io', 'https://quay.io.evil.example', 'quay.io:443'])
    t.is(of({ ...auth, serverAddress }), undefined, serverAddress)
  t.truthy(of({ ...auth, serverAddress: 'https://index.docker.io/v1/' }, 'docker.io'))
})
