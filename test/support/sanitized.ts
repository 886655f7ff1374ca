/** Parts of the native programs, built with the address and undefined behaviour sanitizers. */
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isFull } from './attacker.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const native = join(root, 'native')
const tests = join(root, 'test/native')
const flags = [
  '-std=gnu17',
  '-g',
  '-O1',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover',
  `-I${native}`,
  `-I${tests}`,
]
/** The sanitizer watches the library's own of these; ours would be used instead. */
const renamed = ['memcpy', 'memmove', 'memset', 'memcmp'].map((name) => `-D${name}=own_${name}`)

/** Builds `test/native/NAME.c` with these sources of `native/` into `folder`; its path. */
export function buildSanitized(folder: string, name: string, sources: readonly string[]): string {
  const memory = join(folder, 'memory.o')
  const program = join(folder, name)
  const syscalls = ['-include', join(tests, 'checked-syscalls.h')]
  execFileSync('cc', [...flags, ...renamed, '-c', join(native, 'init/memory.c'), '-o', memory])
  const files = [join(tests, `${name}.c`), ...sources.map((source) => join(native, source)), memory]
  execFileSync('cc', [...flags, ...syscalls, ...files, '-o', program])
  return program
}

/** A hundred thousand cases in the full tests; what its last line says. Throws when one breaks. */
export function runCases(program: string, cases: number, ...more: string[]): string {
  const count = isFull ? 100_000 : cases
  const seed = Math.floor(Math.random() * 1e9)
  const { status, stdout, stderr } = spawnSync(program, [`${seed}`, `${count}`, ...more], {
    encoding: 'utf8',
  })
  if (status !== 0)
    throw new Error(`${program} ${seed} ${count} ended with ${status}: ${stderr.slice(-4000)}`)
  return stdout.trim()
}
