/**
 * The configuration of `keelson cri`, and docs/reference/configuration.md against its table. KEELSON_UPDATE=1 writes
 * the part of the page between its marks anew.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { parse } from 'yaml'
import { criConfigWith, defaultCriConfig, resolveCriConfig } from '../../src/cli/cri-config.ts'
import { criSettings } from '../../src/cli/cri-settings/index.ts'
import { namedSettings, written } from '../../src/cli/settings.ts'
import { defaultProjectIds } from '../../src/image/layer-quota.ts'
import { defaultUnpackLimits } from '../../src/image/unpack/limits.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const page = fileURLToPath(new URL('../../docs/reference/configuration.md', import.meta.url))
const [begin, end] = [
  '<!-- from the table of settings: begin -->\n',
  '<!-- from the table of settings: end -->\n',
] as const

test('what `config default` prints is the defaults', async (t) => {
  await using temporary = await temporaryDirectory()
  const path = join(temporary.path, 'cri.yaml')
  await writeFile(path, defaultCriConfig())
  const defaults = await resolveCriConfig({})
  t.deepEqual(await resolveCriConfig({ config: path }), defaults)
  t.is(defaults.socket.path, '/run/keelson/cri.sock')
  t.deepEqual(criConfigWith({}), defaults)
  t.deepEqual(defaults.images.projectIds, defaultProjectIds, 'written twice: settings load no layer')
  const { bytesMax, entriesMax, depthMax, ratioMax } = defaults.images.unpack
  const unpackLimits = { maxBytes: bytesMax, maxEntries: entriesMax, maxDepth: depthMax, maxRatio: ratioMax }
  t.deepEqual(unpackLimits, defaultUnpackLimits)
  t.deepEqual(
    namedSettings(criSettings).map(({ path }) => path.join('.')),
    leavesOf(parse(defaultCriConfig())),
  )
})

test('flags come after the file, the file after the defaults', async (t) => {
  await using temporary = await temporaryDirectory()
  const path = join(temporary.path, 'cri.yaml')
  await writeFile(path, 'runDirectory: /run/other\nlog: { level: debug, format: text }\n')
  const config = await resolveCriConfig({ config: path, 'log-level': 'warn', 'pod-cidr': '10.9.0.0/24' })
  t.like(config, { socket: { path: '/run/other/cri.sock' }, log: { level: 'warn', format: 'text' } })
  t.deepEqual(config.network.podCidrs, ['10.9.0.0/24'])
  const both = await resolveCriConfig({
    'pod-cidr': '10.9.0.0/24,fd00::/64',
    network: 'cni',
    'cni-bin-dirs': '/a,/b',
  })
  t.like(both.network, {
    mode: 'cni',
    podCidrs: ['10.9.0.0/24', 'fd00::/64'],
    cni: { binDirs: ['/a', '/b'] },
  })
})

test('what is wrong is named: the path in the file, or the flag', async (t) => {
  await using temporary = await temporaryDirectory()
  const path = join(temporary.path, 'cri.yaml')
  const refused = async (text: string, message: string | RegExp, flags: Record<string, string> = {}) => {
    await writeFile(path, text)
    const resolved = resolveCriConfig({ config: path, ...flags })
    await t.throwsAsync(resolved, { code: 'INVALID_ARGUMENT', message }, text)
  }
  await refused('streaming: { prot: 1 }', `${path}: streaming.prot: there is no such setting`)
  await refused(
    'streaming: { port: 70000 }',
    `${path}: streaming.port: a port number, or 0, is expected, not 70000`,
  )
  await refused('cgroupDriver: podman', /cgroupDriver: one of cgroupfs, systemd is expected, not "podman"$/)
  await refused('socket: { mode: rw }', /socket.mode: permissions like "0660" are expected, not "rw"$/)
  await refused('metrics: { address: "localhost" }', /metrics.address: an address like/)
  const wanted = 'a list of an IPv4 network like 10.42.0.0/16, and perhaps one of IPv6, is expected'
  await refused('network: { podCidrs: ["fd00::/64"] }', `${path}: network.podCidrs: ${wanted}`)
  await refused(
    'network: { podCidrs: ["10.0.0.0/16", "10.1.0.0/16"] }',
    `${path}: network.podCidrs: ${wanted}`,
  )
  await refused(
    'network: { mode: bridge }',
    /network.mode: one of auto, builtin, cni is expected, not "bridge"$/,
  )
  await refused(
    'network: { cni: { binDirs: [] } }',
    /network.cni.binDirs: a list of directories is expected$/,
  )
  await refused(
    'images: { garbage: { highPercent: 80 } }',
    `${path}: images.garbage.lowPercent: less than highPercent, 80, is expected, not 80`,
  )
  await refused('images: { garbage: { highPercent: 101 } }', /a whole percentage is expected, not 101$/)
  await refused('', `--pod-cidr: ${wanted}`, { 'pod-cidr': 'x' })
  await refused('- a', /cri.yaml: 0: there is no such setting|cri.yaml: a table of settings is expected/)
  await refused('a: [', /cri.yaml is not YAML: .* at line 1/)
  await t.throwsAsync(resolveCriConfig({ config: '/no/such' }), {
    message: /configuration \/no\/such cannot be read/,
  })
})

test('the page has every setting with its default, as the table has them', (t) => {
  const [before, rest = ''] = readFileSync(page, 'utf8').split(begin)
  const [body, after = ''] = rest.split(end)
  const rows = namedSettings(criSettings).map(({ path, setting: { initial, help, flag } }) => {
    const flags = flag ? ` (\`--${flag.name}\`)` : ''
    return `| \`${path.join('.')}\`${flags} | \`${written(initial)}\` | ${help.replaceAll('|', '\\|')} |`
  })
  const expected = ['| setting | default | meaning |', '| --- | --- | --- |', ...rows, ''].join('\n')
  if (process.env['KEELSON_UPDATE'] === '1') writeFileSync(page, `${before}${begin}${expected}${end}${after}`)
  else t.is(body, expected, 'run this test with KEELSON_UPDATE=1')
  for (const { path, setting } of namedSettings(criSettings))
    t.regex(setting.help, /^.{15,}\.$/, path.join('.'))
})

function leavesOf(tree: unknown, above: readonly string[] = []): string[] {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return [above.join('.')]
  return Object.entries(tree).flatMap(([name, below]) => leavesOf(below, [...above, name]))
}
