/**
 * The shape of the tree as a test: who may import whom, no folder cycles, where raw facilities
 * may be touched, and no file that nobody imports. The table below is the one place where an arrow is allowed. That
 * each rule catches what it is for is shown by tidy-rules.test.ts.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  brokenArrows,
  folderCycles,
  folderOf,
  type Import,
  type ImportTable,
  includesNapi,
  reachedFrom,
  specifiersOf,
  touchesProcess,
  within,
  withoutComments,
} from './support/source-shape.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

const table: ImportTable = {
  cri: { folders: [], packages: ['@grpc/grpc-js', '@bufbuild/protobuf', 'ws'] },
  'src/base': { folders: [], packages: [] },
  'src/ledger': { folders: ['src/base'], packages: ['lmdb'] },
  'src/dbus': { folders: ['src/base'], packages: [] },
  'src/kernel': { folders: ['src/base'], packages: [] },
  'src/rpc': { folders: ['src/base'], packages: ['@grpc/grpc-js', '@bufbuild/protobuf'] },
  'src/oci': { folders: ['src/base', 'src/kernel', 'src/dbus'], packages: [] },
  'src/image': { folders: ['src/base', 'src/kernel', 'src/ledger'], packages: ['tar-stream', 'undici'] },
  'src/build': { folders: ['src/base', 'src/oci', 'src/image'], packages: ['dockerfile-ast'] },
  'src/network': { folders: ['src/base', 'src/kernel', 'src/ledger'], packages: [] },
  'src/pod': {
    folders: [
      'src/base',
      'src/kernel',
      'src/ledger',
      'src/oci',
      'src/image',
      'src/network',
      'cri/service.ts',
      'cri/types.ts',
    ],
    packages: ['yaml'],
  },
  'src/api': { folders: ['src/base'], packages: ['undici', 'yaml', '@bufbuild/protobuf'] },
  'src/kubelet': {
    folders: ['src/base', 'src/api', 'src/rpc', 'cri/service.ts', 'cri/types.ts', 'cri/streaming'],
    packages: [],
  },
  'src/services': { folders: ['src/base', 'src/kernel', 'src/api'], packages: [] },
  'src/control/store': { folders: ['src/base', 'src/api', 'src/rpc', 'src/ledger'], packages: [] },
  'src/control/pki': { folders: ['src/base'], packages: ['@peculiar/x509', 'reflect-metadata'] },
  'src/control/apiserver': {
    folders: ['src/base', 'src/api', 'src/rpc', 'src/control/store', 'src/control/pki', 'cri/streaming'],
    packages: ['find-my-way', 'yaml', 'rfc6902', 'undici'],
  },
  'src/control/scheduler': { folders: ['src/base', 'src/api'], packages: [] },
  'src/control/controllers': { folders: ['src/base', 'src/api'], packages: [] },
  'src/control': { folders: ['src/base', 'src/api', 'src/control'], packages: [] },
  'src/cli': {
    folders: ['src', 'cri'],
    packages: ['yaml', 'valibot', 'undici'],
  },
}

/** Files that are started rather than imported. */
const entryPoints = new Set([
  'src/cli/main.ts',
  'src/cli/oci-main.ts',
  'src/cli/oci-snapshot.ts',
  'src/image/unpack/worker.ts',
])

/** cri stands alone and so has no clock of ours; these bound a wait of its wire protocol. */
const mayTakeTime = new Set(
  [
    'remote-command-spdy.ts',
    'resize.ts',
    'server.ts',
    'spdy-connection.ts',
    'upgrade-proxy.ts',
    'websocket-wire.ts',
  ].map((name) => `cri/streaming/${name}`),
)

/** What is longer than 350 lines, and how long it may be. Numbers only fall, and a file that no longer needs one goes. */
const linesMax = 350
const longFiles: Readonly<Record<string, number>> = {
  'native/kernel/tree.cpp': 450,
  'src/api/types/index.ts': 400, // names only
  'test/e2e/oci-cli.test.ts': 400,
  'test/image/store.test.ts': 450,
  'test/image/unpack/layer.test.ts': 480,
  'test/pod/service.test.ts': 500,
  'test/support/fake-api.ts': 400,
  'test/support/fake-cri.ts': 400,
}

const generated = /\/generated\/|\.generated\.ts$/
const sources = ['src', 'cri']
  .flatMap(filesBelow)
  .filter((path) => /(?<!\.d)\.ts$/.test(path) && !/\/generated\//.test(path))
const native = filesBelow('native').filter((path) => /\.(c|h|cpp|hpp|S)$/.test(path))

const imports: Import[] = sources.flatMap((from) =>
  specifiersOf(read(from)).map((specifier) => ({
    from,
    specifier,
    target: specifier.startsWith('.') ? relative(root, resolve(root, dirname(from), specifier)) : undefined,
  })),
)

test('there is a tree to look at', (t) => {
  t.true(sources.length > 300, `${sources.length} sources`)
  t.true(imports.length > 1000, `${imports.length} imports`)
  t.true(native.length > 50, `${native.length} native sources`)
})

test('every source lies in a folder of the import table', (t) => {
  t.deepEqual(
    sources.filter((path) => !folderOf(path, table)),
    [],
  )
})

test('imports follow the table', (t) => {
  t.deepEqual(brokenArrows(imports, table).map(arrow), [])
})

test('every import of ours names a file that exists', (t) => {
  const missing = imports.filter(({ target }) => target !== undefined && !isFile(target))
  t.deepEqual(missing.map(arrow), [])
})

test('folders do not import each other in a circle', (t) => {
  t.deepEqual(folderCycles(imports, table), [])
})

test('no file that nobody imports', (t) => {
  const imported = new Set(imports.filter(({ from, target }) => from !== target).map(({ target }) => target))
  const orphans = sources.filter(
    (path) => !imported.has(path) && !path.endsWith('/index.ts') && !entryPoints.has(path),
  )
  t.deepEqual(orphans, [])
})

test('the start of keelson-oci reaches no package and nothing above src/oci', (t) => {
  const reached = [...reachedFrom('src/cli/oci-main.ts', imports)].filter((one) => !one.startsWith('node:'))
  const below = ['src/base', 'src/dbus', 'src/kernel', 'src/oci', 'src/cli']
  t.deepEqual(
    reached.filter((path) => !below.some((folder) => within(path, folder))),
    [],
  )
})

test('environment, console and timers only in base and cli', (t) => {
  const touched = sources
    .filter((path) => !within(path, 'src/base') && !within(path, 'src/cli') && !mayTakeTime.has(path))
    .filter((path) => touchesProcess(read(path)))
  t.deepEqual(touched, [])
})

test('napi.h only in the glue; nothing but the kernel door loads the addon', (t) => {
  t.deepEqual(
    native
      .filter((path) => includesNapi(read(path)))
      .filter((path) => !within(path, 'native/binding') && path !== 'native/addon.cpp'),
    [],
  )
  t.deepEqual(
    sources.filter((path) => /keelson\.node/.test(withoutComments(read(path)))),
    ['src/kernel/addon.ts'],
  )
})

test('every native source is listed in CMakeLists.txt', (t) => {
  const listed = read('native/CMakeLists.txt')
  const unlisted = native
    .map((path) => relative('native', path))
    .filter((path) => /\.(c|cpp|S)$/.test(path) && !listed.includes(path))
  t.deepEqual(unlisted, [])
})

test('documents name files that exist', (t) => {
  const documents = ['README.md', 'CONTRIBUTING.md', ...filesBelow('docs')].filter(
    (path) => path.endsWith('.md') && !within(path, 'docs/decisions'), // those are history
  )
  const named = documents.flatMap((document) =>
    [...read(document).matchAll(/`((?:src|cri|native|test|docs|bench|scripts|examples)\/[^`\s*…]+)`/g)].map(
      ([, path = '']) => ({ document, path }),
    ),
  )
  t.true(named.length > 20)
  t.deepEqual(
    named.filter(({ path }) => !/NAME|NNNN/.test(path) && !existsSync(join(root, path))),
    [],
  )
})

test('no file is called utils, helpers or common', (t) => {
  t.deepEqual(
    [...sources, ...native].filter((path) => /\/(utils?|helpers?|common)\.\w+$/.test(path)),
    [],
  )
})

test('files are at most 350 lines, and those that are longer only shrink', (t) => {
  const own = [...sources, ...native, ...['test', 'bench', 'scripts'].flatMap(filesBelow)]
  const lengths = own
    .filter((path) => /\.(ts|mjs|sh|c|h|cpp|hpp)$/.test(path) && !generated.test(path))
    .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
  t.deepEqual(
    lengths.filter(({ path, lines }) => lines > (longFiles[path] ?? linesMax)),
    [],
  )
  const tooLong = new Set(lengths.filter(({ lines }) => lines > linesMax).map(({ path }) => path))
  t.deepEqual(
    Object.keys(longFiles).filter((path) => !tooLong.has(path)),
    [],
    'no longer needed',
  )
})

function arrow({ from, specifier }: Import): string {
  return `${from} → ${specifier}`
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** Paths from the root. */
function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

function isFile(path: string): boolean {
  return statSync(join(root, path), { throwIfNoEntry: false })?.isFile() === true
}
