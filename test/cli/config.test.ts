import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadSavedConfig, resolveConfig, saveConfig } from '../../src/cli/config.ts'
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
  await t.throwsAsync(resolveConfig({ ...flags, port: 'http' }), {
    code: 'INVALID_ARGUMENT',
    message: /port/,
  })
  await t.throwsAsync(resolveConfig({ ...flags, 'pod-cidr': '10.0.0.0' }), {
    message: /podCidr: an IPv4 network/,
  })
  await t.throwsAsync(resolveConfig({ ...flags, instance: '../x' }), {
    message: /instance: a short lower-case name/,
  })
  await t.throwsAsync(resolveConfig({ ...flags, registries: '/no/such' }), {
    message: /\/no\/such cannot be read/,
  })
  const registries = join(folder, 'registries.yaml')
  await writeFile(registries, 'docker.io:\n  endpoint: http://127.0.0.1:5000\n')
  await t.throwsAsync(resolveConfig({ ...flags, registries }), { message: /docker\.io/ })
  await writeFile(join(folder, 'config.json'), '{')
  await t.throwsAsync(resolveConfig(flags), { code: 'DATA_LOSS', message: /config\.json cannot be read/ })
})

test('mirrors come from a YAML table by registry host', async (t) => {
  await using temporary = await temporaryDirectory()
  const folder = temporary.path
  const registries = join(folder, 'registries.yaml')
  await writeFile(registries, 'docker.io:\n  endpoints: ["http://127.0.0.1:5000"]\n  plainHttp: true\n')
  const config = await resolveConfig({ 'data-dir': folder, 'node-name': 'n1', registries })
  t.deepEqual(config.registries, { 'docker.io': { endpoints: ['http://127.0.0.1:5000'], plainHttp: true } })
})
