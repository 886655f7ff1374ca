import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { KeelsonError, SyscallError } from '../base/index.ts'

/**
 * Loads the addon, once. The package root is the nearest folder above this file that holds native/, so
 * the same code works from src/ and from dist/.
 */
const packageRoot = findPackageRoot(dirname(fileURLToPath(import.meta.url)))
const buildFolders = ['build/Release', 'build/cmake/Release', `prebuilds/linux-${process.arch}`]

/** Path of a file that the native build made. */
export function builtFile(name: string): string {
  const found = buildFolders.map((folder) => join(packageRoot, folder, name)).find((path) => existsSync(path))
  if (found) return found
  throw new KeelsonError('FAILED_PRECONDITION', `the native part ${name} is not built`, {
    hint: 'run `npm install` (needs cmake and a C++20 compiler) in the keelson folder',
  })
}

type ErrorFactory = (call: string, errno: string, path: string) => Error

export function loadAddon<T>(): T {
  // Not require, which a program that comes out of a start-up snapshot does not have.
  const module = { exports: {} as { setErrorFactory: (make: ErrorFactory) => void } }
  process.dlopen(module, builtFile('keelson.node'))
  module.exports.setErrorFactory(
    (call: string, errno: string, path: string) =>
      new SyscallError({ call, errno, ...(path ? { path } : {}) }),
  )
  return module.exports as T
}

function findPackageRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'native/CMakeLists.txt'))) return folder
    if (folder === dirname(folder))
      throw new KeelsonError('INTERNAL', 'the package root was not found', { path: from })
  }
}
