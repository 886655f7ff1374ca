#!/usr/bin/env node
/**
 * A stock kubelet of one pinned version: built once with Go into .cache, which only tests need. It takes minutes of
 * processor time, so only the full run asks for it. `go install` refuses a module whose go.mod replaces others by
 * folders beside it; a throw-away module that replaces the same ones by their published versions builds it.
 *
 *   node scripts/kubelet.mjs     builds it if it is missing; exit 1 says why it cannot be had
 */
import { execFile } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cache } from './debian.mjs'

/** The Kubernetes whose API this project has. */
export const kubeletVersion = 'v1.36.3'

const folder = join(cache, `kubelet-${kubeletVersion}`)

/** Path of the program; undefined where it was not built. */
export function findKubelet() {
  const path = join(folder, 'kubelet')
  return existsSync(path) ? path : undefined
}

async function build() {
  if (findKubelet()) return
  await mkdir(folder, { recursive: true })
  const module = await mkdtemp(join(tmpdir(), 'keelson-kubelet-'))
  try {
    const required = `k8s.io/kubernetes ${kubeletVersion}`
    const { GoMod } = JSON.parse(await go(tmpdir(), ['mod', 'download', '-json', required.replace(' ', '@')]))
    const staged = [...(await readFile(GoMod, 'utf8')).matchAll(/(k8s\.io\/\S+) => \.\/staging/g)]
    const replaced = staged.map(
      ([, name]) => `replace ${name} => ${name} ${kubeletVersion.replace('v1', 'v0')}`,
    )
    const lines = ['module throwaway', 'go 1.26.0', `require ${required}`, ...replaced, '']
    await writeFile(join(module, 'go.mod'), lines.join('\n'))
    const half = join(folder, `kubelet.${process.pid}`)
    const version = `-s -w -X k8s.io/component-base/version.gitVersion=${kubeletVersion}`
    await go(module, ['build', '-ldflags', version, '-o', half, 'k8s.io/kubernetes/cmd/kubelet'])
    await rename(half, join(folder, 'kubelet'))
  } finally {
    await rm(module, { recursive: true, force: true })
  }
}

async function go(cwd, words) {
  const env = { ...process.env, GOFLAGS: '-mod=mod', CGO_ENABLED: '0' }
  try {
    return (await promisify(execFile)('go', words, { cwd, env, maxBuffer: 16 * 2 ** 20 })).stdout
  } catch (error) {
    const said = String(error.stderr ?? '').trim() || error.message
    throw new Error(`go ${words.join(' ')}: ${said.split('\n').slice(-2).join(' / ')}`, { cause: error })
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    await build()
  } catch (error) {
    process.stderr.write(`kubelet: ${error.message}\n`)
    process.exitCode = 1
  }
}
