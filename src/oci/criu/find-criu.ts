import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { KeelsonError } from '../../base/index.ts'

/** Where criu is. UNIMPLEMENTED, with the places that were looked at, on a host that has none. */
export function findCriu(program: string, path: string): string {
  const places = isAbsolute(program) ? [program] : path.split(delimiter).filter(isAbsolute)
  const candidates = isAbsolute(program) ? places : places.map((place) => join(place, program))
  const found = candidates.find(isProgram)
  if (found !== undefined) return found
  throw new KeelsonError(
    'UNIMPLEMENTED',
    `checkpoints need the program ${program}, which is not installed (looked in ${places.join(', ')})`,
    { hint: 'install criu (Debian, Fedora: the package criu) version 4 or newer' },
  )
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
