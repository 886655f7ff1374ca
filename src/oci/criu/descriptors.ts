import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { isExternalFile, isPipe } from './external.ts'

/** In the images' directory, as runc's: what the container's 0, 1 and 2 were. */
export const descriptorsFile = 'descriptors.json'

export function readDescriptors(imagePath: string, id: string): string[] {
  const path = join(imagePath, descriptorsFile)
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as unknown[]).map(String)
  } catch (cause) {
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `${imagePath} holds no checkpoint: ${descriptorsFile} is missing`,
      {
        op: 'restore',
        id,
        path,
        cause,
        hint: 'give --image-path DIR',
      },
    )
  }
}

/** Those that lead out of the container get what criu has under the same number; each pipe or file once. */
export function inheritedStdio(imagePath: string, id: string): [fd: number, key: string][] {
  const inherited: [number, string][] = []
  for (const [fd, name] of readDescriptors(imagePath, id).entries())
    if ((isPipe(name) || isExternalFile(name)) && !inherited.some(([, key]) => key === name))
      inherited.push([fd, name])
  return inherited
}
