/**
 * The shape of the tree as a test: who may import whom (DESIGN section 2), no folder cycles, where raw facilities
 * may be touched, and no file that nobody imports. The table below is the one place where an arrow is allowed.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/** folder → what it may import: folders of ours (a prefix allows everything below it), then packages. */
const table: Record<string, { folders: string[]; packages: string[] }> = {
  cri: { folders: [], packages: ['@grpc/grpc-js', '@bufbuild/protobuf', 'ws', 'spdy-transport'] },
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
    packages: [],
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
    folders: ['src', 'cri', 'package.json'],
    packages: ['yaml', 'valibot', 'undici'],
  },
}

/** Files that are started rather than imported. */
const entryPoints = new Set(['src/cli/main.ts', 'src/cli/oci-main.ts', 'src/image/unpack/worker.ts'])

const sources = ['src', 'cri']
  .flatMap((folder) => walk(join(root, folder)))
  .filter((path) => /(?<!\.d)\.ts$/.test(path) && !path.includes('/generated/'))

interface Import {
  from: string
  specifier: string
  target: string | undefined
}

const imports: Import[] = sources.flatMap((path) => {
  const text = readFileSync(path, 'utf8')
  const specifiers = [
    ...text.matchAll(/(?:^|[\s;])(?:import|export)\s(?:[^'";]*?\sfrom\s)?['"]([^'"]+)['"]/g),
  ]
  const dynamic = [...text.matchAll(/import\(\s*['"]([^'"]+)['"]/g)]
  return [...specifiers, ...dynamic].map(([, specifier = '']) => ({
    from: relative(root, path),
    specifier,
    target: specifier.startsWith('.') ? relative(root, resolve(dirname(path), specifier)) : undefined,
  }))
})

test('every source lies in a folder of the import table', (t) => {
  t.deepEqual(
    sources.map((path) => relative(root, path)).filter((path) => !folderOf(path)),
    [],
  )
})

test('imports follow the table', (t) => {
  const broken = imports.filter(({ from, specifier, target }) => {
    const folder = folderOf(from)
    if (!folder) return false
    const allowed = table[folder]
    if (!allowed) return true
    if (target !== undefined)
      return !within(target, folder) && !allowed.folders.some((one) => within(target, one))
    if (specifier.startsWith('node:')) return false
    return !allowed.packages.some((name) => specifier === name || specifier.startsWith(`${name}/`))
  })
  t.deepEqual(
    broken.map(({ from, specifier }) => `${from} → ${specifier}`),
    [],
  )
})

test('every import of ours names a file that exists', (t) => {
  const missing = imports.filter(({ target }) => target !== undefined && !isFile(join(root, target)))
  t.deepEqual(
    missing.map(({ from, specifier }) => `${from} → ${specifier}`),
    [],
  )
})

test('folders do not import each other in a circle', (t) => {
  const arrows = new Map<string, Set<string>>()
  for (const { from, target } of imports) {
    const source = folderOf(from)
    const goal = target && folderOf(target)
    if (source && goal && source !== goal) arrows.set(source, (arrows.get(source) ?? new Set()).add(goal))
  }
  const cycles: string[] = []
  const visit = (folder: string, trail: string[]): void => {
    if (trail.includes(folder)) {
      cycles.push([...trail.slice(trail.indexOf(folder)), folder].join(' → '))
      return
    }
    for (const next of arrows.get(folder) ?? []) visit(next, [...trail, folder])
  }
  for (const folder of arrows.keys()) visit(folder, [])
  t.deepEqual([...new Set(cycles)], [])
})

test('no file that nobody imports', (t) => {
  const imported = new Set(imports.map(({ target }) => target))
  const orphans = sources
    .map((path) => relative(root, path))
    .filter((path) => !imported.has(path) && !path.endsWith('/index.ts') && !entryPoints.has(path))
    .filter((path) => !/^src\/cli\/(oci-)?commands\//.test(path)) // found by name when the command is typed
  t.deepEqual(orphans, [])
})

test('environment, console and timers only in base and cli', (t) => {
  const touched = sources
    .map((path) => relative(root, path))
    .filter((path) => !within(path, 'src/base') && !within(path, 'src/cli'))
    .filter((path) => /\bprocess\.env\b|\bconsole\.|\bset(?:Timeout|Interval)\(/.test(code(path)))
  t.deepEqual(touched, [])
})

test('napi.h only in the glue; nothing but the kernel door loads the addon', (t) => {
  const native = walk(join(root, 'native'))
    .filter((path) => /\.(c|h|cpp|hpp|S)$/.test(path))
    .map((path) => relative(root, path))
  const napi = native.filter((path) => /#include\s*[<"]napi\.h/.test(readFileSync(join(root, path), 'utf8')))
  t.deepEqual(
    napi.filter((path) => !within(path, 'native/binding') && path !== 'native/addon.cpp'),
    [],
  )
  const loaders = sources
    .map((path) => relative(root, path))
    .filter((path) => /keelson\.node/.test(code(path)))
  t.deepEqual(loaders, ['src/kernel/addon.ts'])
})

test('every native source is listed in CMakeLists.txt', (t) => {
  const listed = readFileSync(join(root, 'native/CMakeLists.txt'), 'utf8')
  const unlisted = walk(join(root, 'native'))
    .map((path) => relative(join(root, 'native'), path))
    .filter((path) => /\.(c|cpp|S)$/.test(path) && !path.startsWith('build/') && !listed.includes(path))
  t.deepEqual(unlisted, [])
})

test('no file is called utils, helpers or common', (t) => {
  const vague = [...sources, ...walk(join(root, 'native'))].filter((path) =>
    /\/(utils?|helpers?|common)\.\w+$/.test(path),
  )
  t.deepEqual(
    vague.map((path) => relative(root, path)),
    [],
  )
})

/** The longest folder of the table that holds this file. */
function folderOf(path: string): string | undefined {
  return Object.keys(table)
    .filter((folder) => within(path, folder))
    .sort((a, b) => b.length - a.length)[0]
}

function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

function code(path: string): string {
  return readFileSync(join(root, path), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '')
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? walk(path) : [path]
  })
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}
