import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ContainerConfig } from '../../../cri/types.ts'
import { hasErrno, KeelsonError, parseExactJson } from '../../base/index.ts'
import { type CdiEdits, type CdiFile, checkedCdiFile, parseDeviceName } from './spec-file.ts'

const annotationPrefix = 'cdi.k8s.io/'

/** Names of the devices a container asks for: by its field, and by annotations as before there was one. Each once. */
export function requestedDevices({
  CDIDevices,
  annotations,
}: Pick<ContainerConfig, 'CDIDevices' | 'annotations'>): string[] {
  const annotated = Object.entries(annotations)
    .filter(([key]) => key.startsWith(annotationPrefix))
    .flatMap(([, value]) => value.split(','))
  return [...new Set([...CDIDevices.map(({ name }) => name), ...annotated])]
}

/**
 * What these devices change in a container, in the order asked for; what a file says for all its devices comes once,
 * before the first of them. A file in a later directory takes the place of what an earlier one says of a device. INVALID_ARGUMENT for a name that is none or that no file has, and for one that two files of
 * the same directory have; FAILED_PRECONDITION for a device in a file that cannot be read.
 */
export async function resolveDevices(
  names: readonly string[],
  directories: readonly string[],
): Promise<CdiEdits[]> {
  if (names.length === 0) return []
  const found = await readDirectories(directories)
  const begun = new Set<CdiFile>()
  return names.flatMap((name) => {
    const { file, edits } = find(name, found, directories)
    const common = file.containerEdits && !begun.has(file) ? [file.containerEdits] : []
    begun.add(file)
    return [...common, edits]
  })
}

interface Found {
  directory: number
  /** A file that cannot be read hides what is in it, and says so to whoever wants something that is not found. */
  content: CdiFile | KeelsonError
}

function find(
  name: string,
  found: readonly Found[],
  directories: readonly string[],
): { file: CdiFile; edits: CdiEdits } {
  const parsed = parseDeviceName(name)
  if (!parsed) throw unresolvable(name, 'it is not vendor/class=device', directories)
  const having = found.flatMap(({ directory, content }) => {
    if (content instanceof KeelsonError || content.kind !== parsed.kind) return []
    const device = content.devices.find((one) => one.name === parsed.device)
    return device ? [{ directory, file: content, edits: device.containerEdits }] : []
  })
  const last = having.at(-1)
  if (!last) {
    const unreadable = found.find(({ content }) => content instanceof KeelsonError)?.content
    if (unreadable instanceof KeelsonError) throw unreadable
    throw unresolvable(name, 'no CDI file has it', directories)
  }
  if (having.filter(({ directory }) => directory === last.directory).length > 1)
    throw unresolvable(name, 'two CDI files of one directory have it', directories)
  return last
}

async function readDirectories(directories: readonly string[]): Promise<Found[]> {
  const all = directories.map(async (path, directory) => {
    const names = (await namesIn(path)).filter((name) => /\.(json|yaml)$/.test(name)).sort()
    return Promise.all(names.map(async (name) => ({ directory, content: await read(join(path, name)) })))
  })
  return (await Promise.all(all)).flat()
}

async function namesIn(path: string): Promise<string[]> {
  return await readdir(path).catch((error) => {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  })
}

/** YAML is for those who have it: its parser is loaded with the first such file. */
async function read(path: string): Promise<CdiFile | KeelsonError> {
  try {
    const text = await readFile(path, 'utf8')
    const parse = path.endsWith('.json') ? parseExactJson : (await import('yaml')).parse
    return checkedCdiFile(path, parse(text))
  } catch (error) {
    if (error instanceof KeelsonError && error.path === path) return error
    const words = `the CDI file ${path} cannot be read`
    return new KeelsonError('FAILED_PRECONDITION', words, { path, cause: error })
  }
}

function unresolvable(name: string, why: string, directories: readonly string[]): KeelsonError {
  return new KeelsonError(
    'INVALID_ARGUMENT',
    `the CDI device ${JSON.stringify(name)} cannot be had: ${why}`,
    {
      hint: `files are looked for in ${directories.join(' and ') || 'no directory'}`,
    },
  )
}
