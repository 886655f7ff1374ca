import test from 'ava'
import fc from 'fast-check'
import type { Descriptor } from '../../src/image/manifest.ts'
import {
  amd64Level,
  formatPlatform,
  ownPlatform,
  type Platform,
  parsePlatform,
  runsOn,
  selectPlatform,
} from '../../src/image/platform.ts'

const entry = (
  digest: string,
  platform?: Platform,
  mediaType = 'application/vnd.oci.image.manifest.v1+json',
): Descriptor => ({
  mediaType,
  digest,
  sizeBytes: 1,
  ...(platform && { platform }),
})
const at = (text: string): Platform => {
  const [os = '', architecture = '', variant] = text.split('/')
  return { os, architecture, ...(variant && { variant }) }
}
const chosen = (wanted: string, ...offered: string[]) =>
  selectPlatform(
    offered.map((text) => entry(text, at(text))),
    at(wanted),
  ).digest

test('the best of what runs: the own variant, else the newest older one, never a newer one', (t) => {
  const arms = ['linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6', 'linux/arm64/v8', 'linux/amd64']
  t.is(chosen('linux/arm/v7', ...arms), 'linux/arm/v7')
  t.is(chosen('linux/arm/v8', ...arms), 'linux/arm/v7')
  t.is(chosen('linux/arm/v6', ...arms), 'linux/arm/v6')
  t.is(chosen('linux/arm', ...arms), 'linux/arm/v7')
  t.is(chosen('linux/arm/v6', 'linux/arm/v5'), 'linux/arm/v5')
  t.is(chosen('linux/arm64', ...arms), 'linux/arm64/v8')
  t.is(chosen('linux/arm64/v9', ...arms), 'linux/arm64/v8')
  const amds = ['linux/amd64/v4', 'linux/amd64', 'linux/amd64/v2', 'linux/amd64/v3', 'windows/amd64']
  t.is(chosen('linux/amd64/v3', ...amds), 'linux/amd64/v3')
  t.is(chosen('linux/amd64', ...amds), 'linux/amd64')
  t.is(chosen('linux/amd64/v1', ...amds), 'linux/amd64')
  t.is(chosen('linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64/v4'), 'linux/amd64/v2')
})

test('what does not run is not taken, and named', (t) => {
  for (const [wanted, offered] of [
    ['linux/amd64', 'linux/amd64/v2'],
    ['linux/arm/v6', 'linux/arm/v7'],
    ['linux/arm64', 'linux/arm/v7'],
    ['linux/amd64', 'linux/386'],
    ['linux/amd64', 'unknown/unknown'],
  ] as const)
    t.throws(() => chosen(wanted, offered), { code: 'NOT_FOUND', message: new RegExp(`only for ${offered}`) })
  t.throws(() => selectPlatform([], at('linux/amd64')), {
    message: /only for nothing/,
  })
})

test('an entry without a platform is the last choice, an index among them the first', (t) => {
  const index = entry('index', undefined, 'application/vnd.oci.image.index.v1+json')
  const pick = (...manifests: Descriptor[]) => selectPlatform(manifests, at('linux/amd64')).digest
  t.is(pick(entry('unnamed'), entry('named', at('linux/amd64'))), 'named')
  t.is(pick(entry('unnamed'), index), 'index')
  t.is(pick(entry('unnamed'), entry('other', at('linux/s390x'))), 'unnamed')
})

test('platforms as people write them', (t) => {
  t.deepEqual(parsePlatform('arm64'), { os: 'linux', architecture: 'arm64', variant: 'v8' })
  t.deepEqual(parsePlatform('linux/x86_64'), { os: 'linux', architecture: 'amd64', variant: 'v1' })
  t.deepEqual(parsePlatform('LINUX/arm/7'), { os: 'linux', architecture: 'arm', variant: 'v7' })
  t.deepEqual(parsePlatform('linux/s390x'), { os: 'linux', architecture: 's390x' })
  for (const bad of ['', 'a/b/c/d', 'linux/', '/amd64', 'linux/amd 64'])
    t.throws(() => parsePlatform(bad), { code: 'INVALID_ARGUMENT' }, bad)
  t.is(formatPlatform(ownPlatform()).split('/')[0], 'linux')
  t.true(runsOn(ownPlatform(), ownPlatform()))
})

test('the level of an amd64 processor is that of which it lacks nothing', (t) => {
  const v2 = ['cx16', 'lahf_lm', 'popcnt', 'pni', 'sse4_1', 'sse4_2', 'ssse3']
  const v3 = [...v2, 'avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave']
  const v4 = [...v3, 'avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl']
  t.is(amd64Level(new Set()), 'v1')
  t.is(amd64Level(new Set(v2)), 'v2')
  t.is(amd64Level(new Set(v3)), 'v3')
  t.is(amd64Level(new Set(v4)), 'v4')
  t.is(amd64Level(new Set(v4.filter((flag) => flag !== 'popcnt'))), 'v1')
})

test('whatever is offered, what is chosen runs, and nothing better was there', (t) => {
  const platform = fc.record({
    os: fc.constant('linux'),
    architecture: fc.constantFrom('amd64', 'arm', 'arm64'),
    variant: fc.constantFrom('v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'v7', 'v8'),
  })
  fc.assert(
    fc.property(platform, fc.array(platform, { maxLength: 8 }), (wanted, offered) => {
      const manifests = offered.map((one, i) => entry(String(i), one))
      const running = offered.filter((one) => runsOn(one, wanted))
      if (running.length === 0) return void t.throws(() => selectPlatform(manifests, wanted))
      const found = selectPlatform(manifests, wanted).platform
      t.true(found !== undefined && runsOn(found, wanted))
      t.true(running.every(({ variant }) => variant <= (found?.variant ?? '')))
    }),
  )
})
