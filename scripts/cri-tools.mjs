#!/usr/bin/env node
/**
 * crictl, critest and the ginkgo that runs critest's specs side by side, of one pinned version: built once with Go into
 * .cache, which only tests need. critest has no main package: it is the test binary of a throw-away module that
 * requires it.
 *
 *   node scripts/cri-tools.mjs     builds what is missing; exit 1 says why it cannot be had
 */
import { execFile } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cache } from './debian.mjs'

/** Newer than the CRI that we serve (1.36), so that its specs know every RPC of it. */
export const criToolsVersion = 'v1.37.0'

const folder = join(cache, `cri-tools-${criToolsVersion}`)
const tools = {
  crictl: ['build', 'sigs.k8s.io/cri-tools/cmd/crictl'],
  critest: ['test', '-c', 'sigs.k8s.io/cri-tools/cmd/critest'],
  ginkgo: ['build', 'github.com/onsi/ginkgo/v2/ginkgo'],
}

/** Path of a tool that was built; undefined where it is absent. */
export function findCriTool(name) {
  const path = join(folder, name)
  return existsSync(path) ? path : undefined
}

/** Builds what is absent, whole or not at all, whoever else does the same at this moment. */
export async function buildCriTools() {
  const absent = Object.keys(tools).filter((name) => findCriTool(name) === undefined)
  if (absent.length === 0) return
  await mkdir(folder, { recursive: true })
  const module = await mkdtemp(join(tmpdir(), 'keelson-cri-tools-'))
  try {
    await writeFile(join(module, 'go.mod'), 'module throwaway\n\ngo 1.26\n')
    await go(module, ['get', `sigs.k8s.io/cri-tools/cmd/critest@${criToolsVersion}`])
    for (const name of absent) {
      const [verb, ...words] = tools[name]
      const half = join(folder, `${name}.${process.pid}`)
      await go(module, [verb, '-o', half, ...versioned(name), ...words])
      await rename(half, join(folder, name))
    }
  } finally {
    await rm(module, { recursive: true, force: true })
  }
}

/** The makefile of cri-tools does the same; without it the tools call themselves "unknown". */
function versioned(name) {
  const variable = 'sigs.k8s.io/cri-tools/pkg/version.Version'
  return name === 'ginkgo' ? [] : ['-ldflags', `-s -w -X ${variable}=${criToolsVersion.slice(1)}`]
}

async function go(cwd, words) {
  const env = { ...process.env, GOFLAGS: '-mod=mod', CGO_ENABLED: '0' }
  try {
    await promisify(execFile)('go', words, { cwd, env, maxBuffer: 16 * 2 ** 20 })
  } catch (error) {
    const said = String(error.stderr ?? '').trim() || error.message
    throw new Error(`go ${words.join(' ')}: ${said.split('\n').slice(-2).join(' / ')}`, { cause: error })
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    await buildCriTools()
  } catch (error) {
    process.stderr.write(`cri-tools: ${error.message}\n`)
    process.exitCode = 1
  }
}
