import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readRegistries } from '../../src/cli/registries.ts'
import { endpointsOf } from '../../src/image/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

async function fromYaml(text: string) {
  await using folder = await temporaryDirectory()
  const path = join(folder.path, 'registries.yaml')
  await writeFile(path, text)
  return await readRegistries(path)
}

test('the table: endpoints as texts or with settings of their own', async (t) => {
  const mirrors = await fromYaml(`
quay.io:
  caFile: /etc/ca.pem
  headers: { x-site: one }
  endpoints:
    - http://127.0.0.1:5000/copies
    - { url: https://mirror.example/api, overridePath: true, capabilities: [pull], skipVerify: true, caFile: [] }
  server: { url: https://real.quay.io, clientCertFile: c.pem, clientKeyFile: k.pem }
'*':
  endpoints: [https://cache.example]
`)
  const [first, second, itself] = endpointsOf('quay.io', mirrors)
  t.like(first, { origin: 'http://127.0.0.1:5000', root: '/v2/copies', namespace: 'quay.io', isMirror: true })
  t.deepEqual(first?.tls, { caFiles: ['/etc/ca.pem'], skipVerify: false })
  t.like(second, {
    origin: 'https://mirror.example',
    root: '/api',
    capabilities: ['pull'],
    headers: { 'x-site': 'one' },
  })
  t.deepEqual(second?.tls, { caFiles: [], skipVerify: true })
  t.like(itself, { origin: 'https://real.quay.io', root: '/v2', isMirror: false })
  t.like(itself?.tls, { clientCertFile: 'c.pem', clientKeyFile: 'k.pem' })
  t.deepEqual(
    endpointsOf('other.example', mirrors).map(({ origin }) => origin),
    ['https://cache.example', 'https://other.example'],
  )
})

test('the table: what is wrong is named', async (t) => {
  const refused = (text: string, message: RegExp) =>
    t.throwsAsync(() => fromYaml(text), { code: 'INVALID_ARGUMENT', message }, text)
  await refused('a: { endpoints: [{ url: x, capabilities: [fly] }] }', /a\.endpoints/)
  await refused('a: { endpoints: ["ftp://x"] }', /"ftp:\/\/x" is not the address/)
  await refused('a: { endpoints: [], clientCertFile: x }', /needs its key/)
  await refused('a: { endpoints: [], headers: 5 }', /a\.headers/)
})

/** A directory as containerd has it. */
async function fromDirectory(files: Record<string, string>) {
  await using folder = await temporaryDirectory()
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder.path, name, '..'), { recursive: true })
    await writeFile(join(folder.path, name), text)
  }
  return { mirrors: await readRegistries(folder.path), path: folder.path }
}

test('certs.d: mirrors in the order of the file, with every setting', async (t) => {
  const { mirrors, path } = await fromDirectory({
    'docker.io/hosts.toml': `
server = "https://registry-1.docker.io"
[host."http://127.0.0.1:5000"]
  capabilities = ["pull", "resolve"]
[host."https://mirror.example/prefix"]
  capabilities = ["pull"]
  ca = "ca.pem"
  client = [["c.pem", "/k.pem"]]
  skip_verify = true
  [host."https://mirror.example/prefix".header]
    x-a = ["1", "2"]
[host."https://whole.example/v2/mirror"]
  override_path = true
`,
    '_default/hosts.toml': '[host."https://cache.example"]',
    'plain.example:5000/hosts.toml': 'server = "http://plain.example:5000"\nskip_verify = false',
    'port.example_5000_/hosts.toml': 'ca = ["/one.pem", "two.pem"]',
    'docker.example/ca.crt': '',
    'docker.example/me.cert': '',
    'docker.example/me.key': '',
    'nothing.example/readme': '',
    readme: 'no directory',
  })
  t.deepEqual(Object.keys(mirrors).sort(), [
    '*',
    'docker.example',
    'docker.io',
    'plain.example:5000',
    'port.example:5000',
  ])
  const [local, prefixed, whole, itself] = endpointsOf('docker.io', mirrors)
  t.like(local, { origin: 'http://127.0.0.1:5000', root: '/v2', capabilities: ['pull', 'resolve'] })
  t.like(prefixed, { root: '/prefix/v2', capabilities: ['pull'], headers: { 'x-a': '1, 2' } })
  t.deepEqual(prefixed?.tls, {
    caFiles: [join(path, 'docker.io/ca.pem')],
    clientCertFile: join(path, 'docker.io/c.pem'),
    clientKeyFile: '/k.pem',
    skipVerify: true,
  })
  t.like(whole, { root: '/v2/mirror', capabilities: ['pull', 'resolve', 'push'] })
  t.like(itself, { origin: 'https://registry-1.docker.io', root: '/v2', isMirror: false })
  const origins = (host: string) => endpointsOf(host, mirrors).map(({ origin }) => origin)
  t.deepEqual(origins('any.example'), ['https://cache.example', 'https://any.example'])
  t.deepEqual(origins('plain.example:5000'), ['http://plain.example:5000'])
  const [ported] = endpointsOf('port.example:5000', mirrors)
  t.like(ported, { origin: 'https://port.example:5000', root: '/v2' })
  t.deepEqual(ported?.tls.caFiles, ['/one.pem', join(path, 'port.example_5000_/two.pem')])
  t.deepEqual(endpointsOf('docker.example', mirrors)[0]?.tls, {
    caFiles: [join(path, 'docker.example/ca.crt')],
    clientCertFile: join(path, 'docker.example/me.cert'),
    clientKeyFile: join(path, 'docker.example/me.key'),
    skipVerify: false,
  })
})

test('certs.d: what is wrong is named with its file', async (t) => {
  for (const [text, message] of [
    ['server = ', /a\.example\/hosts\.toml: line 1: a value is expected/],
    ['server = 5', /server: a text is expected/],
    ['host = 5', /host: a table is expected/],
    ['[host]\n"https://x" = 1', /host\."https:\/\/x": a table is expected/],
    ['[host."https://x"]\nskip_verify = "yes"', /skip_verify: true or false is expected/],
    ['[host."https://x"]\nca = [1]', /ca: a text or a list of texts is expected/],
    ['[host."https://x"]\nclient = [["a", "b", "c"]]', /client: one certificate/],
    ['[host."https://x"]\nclient = ["one.pem", "two.pem"]', /client: one certificate/],
    ['[host."https://x"]\nproxy = "http://p"', /proxy: none/],
    ['[host."https://x"]\nheader = 1', /header: a table is expected/],
    ['[host."https://x"]\ncapabilities = ["fly"]', /capabilities|endpoints/],
  ] as const)
    await t.throwsAsync(
      () => fromDirectory({ 'a.example/hosts.toml': text }),
      { code: 'INVALID_ARGUMENT', message },
      text,
    )
})

test('certs.d: a client certificate may hold its key, in each way to write that', async (t) => {
  for (const value of ['"c.pem"', '["c.pem"]', '[["c.pem"]]', '[["c.pem", ""]]']) {
    const text = `[host."https://m.example"]\nclient = ${value}`
    const { mirrors, path } = await fromDirectory({ 'a.example/hosts.toml': text })
    const file = join(path, 'a.example/c.pem')
    t.like(endpointsOf('a.example', mirrors)[0]?.tls, { clientCertFile: file, clientKeyFile: file }, value)
  }
})
