#!/usr/bin/env node
// bundle [--out DIR] [--only NAME]…: the command lines as few files, so that a start reads little and parses no
// TypeScript. lmdb brings a binary of its own and stays outside; our addon is found by path at run time.
//
// keelson-oci is started once per container event, so its form is the fastest that Node 20 has: one CommonJS file
// (45 ms a command instead of 70 as ES modules: their loader costs per file, and per built-in module that it wraps),
// with the built-in modules that few commands need loaded at their first use.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const { values } = parseArgs({
  options: { out: { type: 'string', default: 'dist/cli' }, only: { type: 'string', multiple: true } },
})
const outdir = resolve(root, values.out)

/** What is built together, and how: name in dist/cli → source. */
const builds = [
  {
    entries: { 'oci-main': 'src/cli/oci-main.ts', 'oci-snapshot': 'src/cli/oci-snapshot.ts' },
    options: {
      format: 'cjs',
      outExtension: { '.js': '.cjs' },
      plugins: [lazyBuiltins(['child_process', 'crypto', 'net', 'stream', 'util'])],
      define: { 'import.meta.url': 'keelsonModuleUrl' },
      banner: { js: "const keelsonModuleUrl = require('node:url').pathToFileURL(__filename).href;" },
    },
  },
  {
    entries: {
      main: 'src/cli/main.ts',
      'unpack-worker': 'src/image/unpack/worker.ts', // a thread, found by this name
    },
    options: {
      format: 'esm',
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
      // Of packages with two forms the ES one: a CommonJS one reached by import() loses its named exports.
      mainFields: ['module', 'main'],
      // Packages in CommonJS form ask for Node's own modules with require, which a module file does not have.
      banner: {
        js: "import { createRequire as keelsonRequire } from 'node:module'; const require = keelsonRequire(import.meta.url);",
      },
    },
  },
]

const buildId = idOfBuild()
rmSync(outdir, { recursive: true, force: true })
for (const { entries, options } of builds)
  await build({
    absWorkingDir: root,
    entryPoints: Object.entries(entries)
      .filter(([name, source]) => (values.only ?? [name]).includes(name) && existsSync(join(root, source)))
      .map(([name, source]) => ({ in: source, out: name })),
    external: ['lmdb'],
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'warning',
    ...options,
    define: {
      KEELSON_BUILD: JSON.stringify(buildId),
      KEELSON_COMMIT: JSON.stringify(commit()),
      KEELSON_VERSION: JSON.stringify(version),
      ...options.define,
    },
  })

/** One other character, and V8 keeps two bytes for each of a file: in each start of the snapshot. */
for (const name of ['oci-main.cjs', 'oci-snapshot.cjs']) {
  const path = join(outdir, name)
  if (existsSync(path) && readFileSync(path).some((byte) => byte > 0x7f))
    throw new Error(`${name} holds more than ASCII: write that character as an escape`)
}

// For the native front, which meets a running process of this build only (docs/decisions/0014).
writeFileSync(join(outdir, 'oci.build'), buildId)

/** Of everything that is built, also natively, and of the place it is built in. */
function idOfBuild() {
  const hash = createHash('sha256').update(outdir)
  for (const folder of ['cri', 'native', 'src'])
    for (const name of readdirSync(join(root, folder), { recursive: true }).sort())
      if (/\.(ts|json|c|h|cpp|hpp)$/.test(name))
        hash.update(name).update(readFileSync(join(root, folder, name)))
  return hash.digest('hex').slice(0, 20)
}

/** Each export of these built-in modules becomes a getter, so that importing one costs nothing until it is used. */
function lazyBuiltins(names) {
  return {
    name: 'lazy-builtins',
    setup(plugin) {
      const wanted = new RegExp(`^node:(${names.filter((name) => builtinModules.includes(name)).join('|')})$`)
      plugin.onResolve({ filter: wanted }, ({ path }) => ({ path, namespace: 'lazy-builtin' }))
      plugin.onLoad({ filter: /.*/, namespace: 'lazy-builtin' }, ({ path }) => {
        const keys = Object.keys(process.getBuiltinModule(path))
        const getter = (key) => `get ${key}() { return process.getBuiltinModule('${path}').${key} }`
        return {
          contents: `module.exports = { __proto__: null, ${keys.map(getter).join(', ')} }`,
          loader: 'js',
        }
      })
    },
  }
}

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}
