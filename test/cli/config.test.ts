import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test from 'ava'
import { loadSavedConfig, resolveConfig, restoreConfig, saveConfig } from '../../src/cli/config.ts'
import { tableOf } from '../../src/cli/registries.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('defaults, then what the last up saved, then flags', async (t) => {
  await using temporary = await temporaryDirectory()
  const folder = temporary.path
  const flags = { 'data-dir': folder, 'node-name': 'n1' }
  const first = await resolveConfig({ ...flags, port: '7000', 'run-dir': '/run/somewhere' })
  t.like(first, { instance: 'keelson', port: 7000, kubeletPort: 10250, criSocket: '/run/somewhere/cri.sock' })
  t.is(await loadSavedConfig(folder), undefined)
  await saveConfig(first)
  t.deepEqual(await resolveConfig(flags), first)
  t.is((await resolveConfig({ ...flags, port: '7001' })).port, 7001)
})

test('what is wrong is named', async (t) => {
  await using temporary = await temporaryDirectory()
  const folder = temporary.path
  const flags = { 'data-dir': folder, 'node-name': 'n1' }
  const refused = async (more: Record<string, string>, message: string | RegExp) => {
    await t.throwsAsync(resolveConfig({ ...flags, ...more }), { code: 'INVALID_ARGUMENT', message })
  }
  const port = 'a port number from 1 to 65535 is expected'
  await refused({ port: 'http' }, `--port: ${port}, not "http"`)
  await refused({ 'kubelet-port': '70000' }, `--kubelet-port: ${port}, not 70000`)
  const network = 'an IPv4 network like 10.42.0.0/16 is expected'
  for (const text of ['10.0.0.0', '10.0.0.0/99', '300.0.0.0/16', 'fd00::/64'])
    await refused({ 'pod-cidr': text }, `--pod-cidr: ${network}, not "${text}"`)
  await refused({ 'pod-cidr': '10.43.7.0/24' }, /--pod-cidr .* and --service-cidr .* overlap/)
  await refused({ address: 'here' }, /^--address: an IP address .* not "here"$/)
  await refused({ instance: '../x' }, /^--instance: a short lower-case name/)
  await refused({ 'log-level': 'loud' }, /^--log-level: one of debug, info, warn, error/)
  await refused({ registries: '/no/such' }, /\/no\/such cannot be read/)
  const registries = join(folder, 'registries.yaml')
  for (const [text, message] of [
    ['docker.io: [', /registries.yaml is not YAML: .* at line 1, column \d+$/],
    [
      'docker.io: { endpoint: "127.0.0.1:5000" }',
      /registries.yaml: docker.io.endpoints: this setting is missing/,
    ],
    ['docker.io: { endpoints: [], plain: 1 }', /registries.yaml: docker.io.plain: there is no such setting/],
  ] as const) {
    await writeFile(registries, text)
    await refused({ registries }, message)
  }
  await writeFile(join(folder, 'config.json'), '{')
  await t.throwsAsync(resolveConfig(flags), { code: 'DATA_LOSS', message: /config\.json cannot be read/ })
})

test('mirrors come from a YAML table by registry host', async (t) => {
  await using temporary = await temporaryDirectory()
  const folder = temporary.path
  const registries = join(folder, 'registries.yaml')
  await writeFile(registries, 'docker.io:\n  endpoints: ["http://127.0.0.1:5000"]\n  plainHttp: true\n')
  const flags = { 'data-dir': folder, 'node-name': 'n1' }
  const config = await resolveConfig({ ...flags, registries, credentials: 'auth.json' })
  t.is(config.credentials, resolve('auth.json'))
  t.is(config.registries, registries)
  t.deepEqual(await tableOf(config.registries), {
    'docker.io': { endpoints: ['http://127.0.0.1:5000'], plainHttp: true },
  })
  await saveConfig({ ...config, registries: { 'quay.io': { endpoints: ['127.0.0.1:1'] } } })
  const older = await resolveConfig(flags)
  t.deepEqual(await tableOf(older.registries), { 'quay.io': { endpoints: ['127.0.0.1:1'] } })
})

test('what an up that failed saved is forgotten again', async (t) => {
  await using temporary = await temporaryDirectory()
  const folder = temporary.path
  const first = await resolveConfig({ 'data-dir': folder, 'node-name': 'n1' })
  await saveConfig(first)
  await saveConfig({ ...first, port: 7000 })
  await restoreConfig(folder, first)
  t.deepEqual(await loadSavedConfig(folder), first)
  await restoreConfig(folder, undefined)
  t.is(await loadSavedConfig(folder), undefined)
})

test('relative directories are made absolute: background processes run elsewhere', async (t) => {
  const { dataDirectory, runDirectory } = await resolveConfig({
    'data-dir': 'some/data',
    'run-dir': 'run',
    'node-name': 'n',
  })
  t.deepEqual([dataDirectory, runDirectory], [resolve('some/data'), resolve('run')])
})
