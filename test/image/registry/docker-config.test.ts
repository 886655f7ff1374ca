/** Credentials as `docker login` and `podman login` keep them, helpers included: those here are shell scripts. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { credentialFiles, decodeBasic, dockerCredentials } from '../../../src/image/registry/docker-config.ts'
import { eventually } from '../../support/eventually.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const basic = (text: string) => Buffer.from(text).toString('base64')

async function scene(config: unknown) {
  const folder = await temporaryDirectory()
  const path = join(folder.path, 'config.json')
  writeFileSync(path, typeof config === 'string' ? config : JSON.stringify(config))
  const environment = { PATH: `${folder.path}:/usr/bin:/bin` }
  const look = (host: string, repository = 'team/app', helperTimeoutMs = 20_000) =>
    dockerCredentials({ files: [join(folder.path, 'absent'), path], environment, helperTimeoutMs })(
      host,
      repository,
    )
  const helper = (name: string, script: string) => {
    writeFileSync(join(folder.path, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder.path, `docker-credential-${name}`), 0o755)
  }
  return { path: folder.path, look, helper, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

test('auths: every form of a key, the narrowest first', async (t) => {
  await using s = await scene({
    auths: {
      'https://index.docker.io/v1/': { auth: basic('hub:secret') },
      'quay.io': { auth: basic('all:a') },
      'quay.io/team': { auth: basic('team:b:c') },
      'https://old.example/v2/': { username: 'u', password: 'p' },
      'token.example': { identitytoken: 'I', auth: basic('<token>:') },
      'bearer.example': { registrytoken: 'R' },
      'empty.example': {},
      'broken.example': { auth: '====' },
    },
  })
  t.deepEqual(await s.look('docker.io'), { username: 'hub', password: 'secret' })
  t.deepEqual(await s.look('quay.io', 'other/app'), { username: 'all', password: 'a' })
  t.deepEqual(await s.look('quay.io', 'team/app'), { username: 'team', password: 'b:c' })
  t.deepEqual(await s.look('old.example'), { username: 'u', password: 'p' })
  t.like(await s.look('token.example'), { identityToken: 'I' })
  t.deepEqual(await s.look('bearer.example'), { registryToken: 'R' })
  for (const host of ['empty.example', 'broken.example', 'unknown.example', '__proto__'])
    t.is(await s.look(host), undefined, host)
})

test('helpers: one for a registry before the store for all, before auths', async (t) => {
  await using s = await scene({
    auths: { 'a.example': { auth: basic('from:auths') }, 'b.example': { auth: basic('from:auths') } },
    credHelpers: { 'a.example': 'own', 'docker.io': 'own' },
    credsStore: 'all',
  })
  s.helper(
    'own',
    'read server; echo "$1 $server" >>"$(dirname "$0")/asked"; echo \'{"Username":"<token>","Secret":"T"}\'',
  )
  s.helper('all', 'echo "credentials not found in native keychain"; exit 1')
  t.deepEqual(await s.look('a.example'), { identityToken: 'T' })
  t.deepEqual(await s.look('docker.io'), { identityToken: 'T' })
  t.is(readFileSync(join(s.path, 'asked'), 'utf8'), 'get a.example\nget https://index.docker.io/v1/\n')
  t.deepEqual(await s.look('b.example'), { username: 'from', password: 'auths' })
  s.helper('all', `echo '{"ServerURL":"x","Username":"me","Secret":"s"}'`)
  t.deepEqual(await s.look('b.example'), { username: 'me', password: 's' })
})

test('helpers that are absent, fail, babble, hang or never end are told, with their name', async (t) => {
  const names = ['absent', 'fails', 'babbles', 'endless', 'hangs', '../evil']
  await using s = await scene({
    credHelpers: Object.fromEntries(names.map((name) => [`${name}.example`, name])),
  })
  s.helper('fails', 'echo broken pipe of keys >&2; exit 3')
  s.helper('babbles', 'echo hello')
  s.helper('endless', 'exec yes')
  s.helper('hangs', `sleep 1000 & echo $! >"${s.path}/sleeper"; wait`)
  const refused = (name: string, message: RegExp, code = 'FAILED_PRECONDITION') =>
    t.throwsAsync(() => s.look(`${name}.example`), { code, message }, name)
  await refused('absent', /docker-credential-absent failed/)
  await refused('fails', /docker-credential-fails failed: broken pipe of keys/)
  await refused('babbles', /babbles failed: its answer/)
  await refused('endless', /endless failed: it writes more than/)
  await refused('../evil', /no name of a program/)
  const hanging = s.look('hangs.example', 'x', 1500)
  await t.throwsAsync(() => hanging, {
    code: 'DEADLINE_EXCEEDED',
    message: /docker-credential-hangs takes longer/,
  })
  const sleeper = readFileSync(join(s.path, 'sleeper'), 'utf8').trim()
  await eventually('the helper’s own child is gone', () => hasEnded(sleeper))
})

test('files: broken ones are told, empty and absent ones are none', async (t) => {
  await using broken = await scene('{')
  await t.throwsAsync(() => broken.look('a.example'), {
    code: 'FAILED_PRECONDITION',
    message: /config\.json is not/,
  })
  await using empty = await scene('')
  t.is(await empty.look('a.example'), undefined)
  await using odd = await scene({ auths: [], credHelpers: 5, credsStore: '' })
  t.is(await odd.look('a.example'), undefined)
})

test('where the files are', (t) => {
  t.deepEqual(credentialFiles({}, '/root'), ['/root/.docker/config.json'])
  t.deepEqual(credentialFiles({ XDG_RUNTIME_DIR: '/run/user/0', DOCKER_CONFIG: '/d' }, '/root'), [
    '/run/user/0/containers/auth.json',
    '/d/config.json',
  ])
  t.deepEqual(credentialFiles({ REGISTRY_AUTH_FILE: '/f' }, '/root'), ['/f'])
})

test('user and password come out of base64 as they went in', (t) => {
  const name = fc.string().filter((text) => !text.includes(':') && !text.includes('\0'))
  const password = fc.string().filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(name, password, (username, secret) => {
      t.deepEqual(decodeBasic(basic(`${username}:${secret}`)), { username, password: secret })
    }),
  )
})

/** Whether or not somebody has reaped it. */
function hasEnded(pid: string): boolean {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true // between any look at the path and its reading it may go
  }
}
