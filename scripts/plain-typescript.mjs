// Imported before a bench: its TypeScript, and ours, as the build makes it. tsx names every function when it is made,
// which costs a warm runtime 0.4 ms of a container.
import { readFile } from 'node:fs/promises'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { transform } from 'esbuild'

if (isMainThread) register(import.meta.url) // the hooks below run in a thread of their own

export async function load(url, context, next) {
  if (!url.endsWith('.ts') || url.includes('/node_modules/')) return next(url, context)
  const source = await readFile(fileURLToPath(url), 'utf8')
  const { code } = await transform(source, { loader: 'ts', format: 'esm', target: 'node20', sourcefile: url })
  return { format: 'module', source: code, shortCircuit: true }
}
