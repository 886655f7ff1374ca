import test from 'ava'
import fc from 'fast-check'
import { KeelsonError } from '../../../src/base/index.ts'
import { parseNetwork, parseNetworkList, parsePlugin } from '../../../src/network/cni/network-list.ts'

const list = (more: object = {}) =>
  JSON.stringify({ cniVersion: '1.0.0', name: 'pods', plugins: [{ type: 'bridge', mtu: 1400 }], ...more })

test('a list: name, version, plugins as they stand', (t) => {
  t.deepEqual(parseNetworkList(list(), 'a.conflist'), {
    name: 'pods',
    cniVersion: '1.0.0',
    disableCheck: false,
    disableGC: false,
    inlined: [{ type: 'bridge', mtu: 1400 }],
    hasPluginFolder: true,
  })
})

test('of several versions the newest that we speak is used', (t) => {
  const versions = { cniVersion: '0.4.0', cniVersions: ['0.3.1', '1.1.0', '7.0.0'] }
  t.is(parseNetworkList(list(versions), 'a').cniVersion, '1.1.0')
})

test('1.1 members: disableCheck, disableGC, loadOnlyInlinedPlugins, also in quotes', (t) => {
  const parsed = parseNetworkList(
    list({ disableCheck: true, disableGC: 'true', loadOnlyInlinedPlugins: true }),
    'a',
  )
  t.like(parsed, { disableCheck: true, disableGC: true, hasPluginFolder: false })
  const { plugins: _, ...without } = JSON.parse(list())
  t.like(parseNetworkList(JSON.stringify(without), 'a'), { inlined: [], hasPluginFolder: true })
})

test('a single plugin of former times is a network by itself', (t) => {
  const text = JSON.stringify({ cniVersion: '0.3.1', name: 'old', type: 'ptp', mtu: 1 })
  t.like(parseNetwork(text, 'a.conf'), {
    name: 'old',
    cniVersion: '0.3.1',
    inlined: [{ cniVersion: '0.3.1', name: 'old', type: 'ptp', mtu: 1 }],
    hasPluginFolder: false,
  })
})

for (const [what, text, message] of [
  ['no JSON', '{', /^a\.conflist is not JSON: /],
  ['no object', '[]', 'a.conflist is not a JSON object'],
  ['no name', list({ name: undefined }), 'a.conflist: "name" is missing'],
  ['a name that is a path', list({ name: '../x' }), 'a.conflist: "../x" cannot be the name of a network'],
  [
    'no version',
    list({ cniVersion: undefined }),
    /^a\.conflist: "cniVersion" is missing: there are 0\.3\.0, /,
  ],
  [
    'an old version',
    list({ cniVersion: '0.2.0' }),
    /^a\.conflist: CNI 0\.2\.0 is not spoken here: there are 0\.3\.0, /,
  ],
  ['a later version', list({ cniVersion: '2.0.0' }), /CNI 2\.0\.0 is not spoken here/],
  ['no plugins', list({ plugins: [] }), 'a.conflist: "plugins" is empty'],
  ['plugins of another kind', list({ plugins: {} }), 'a.conflist: "plugins" is not a list'],
  [
    'nothing to load',
    list({ plugins: undefined, loadOnlyInlinedPlugins: true }),
    'a.conflist: "plugins" is missing',
  ],
  ['a plugin without type', list({ plugins: [{}] }), 'a.conflist: plugins[0]: "type" is missing'],
  [
    'a type that is a path',
    list({ plugins: [{ type: '../sh' }] }),
    /plugins\[0\]: "\.\.\/sh" cannot be the name/,
  ],
  [
    'wrong capabilities',
    list({ plugins: [{ type: 'a', capabilities: [] }] }),
    /plugins\[0\]: capabilities is not an/,
  ],
] as const)
  test(`refused with its place: ${what}`, (t) => {
    t.throws(() => parseNetworkList(text, 'a.conflist'), {
      code: 'INVALID_ARGUMENT',
      message: message instanceof RegExp ? message : (found) => found === message,
    })
  })

test('a list in a file for one plugin is told where it belongs', (t) => {
  t.throws(() => parseNetwork(list(), 'a.conf'), { message: /belongs into a file that ends in \.conflist/ })
})

test('whatever a file holds, it is read or refused with a code', (t) => {
  const members = fc.record(
    {
      name: fc.anything(),
      cniVersion: fc.anything(),
      cniVersions: fc.anything(),
      plugins: fc.anything(),
      type: fc.anything(),
    },
    { requiredKeys: [] },
  )
  const texts = fc.oneof(
    fc.string(),
    members.map((value) => JSON.stringify(value) ?? ''),
  )
  fc.assert(
    fc.property(texts, (text) => {
      for (const parse of [parseNetworkList, parseNetwork, parsePlugin])
        try {
          parse(text, 'a')
        } catch (error) {
          if (!(error instanceof KeelsonError)) throw error
        }
    }),
  )
  t.pass()
})
