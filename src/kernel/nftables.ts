import { execFile } from 'node:child_process'
import { access, constants, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { KeelsonError } from '../base/index.ts'

/** Runs nft(8). One `apply` is one transaction: all of the text takes effect or nothing. */
export interface Nft {
  /** INTERNAL with nft's own words when the text is refused. */
  apply(ruleset: string): Promise<void>
  /** Every table there is, whoever made it: `inet keelson-pods`. */
  tables(): Promise<string[]>
}

export interface NftOptions {
  /** For the ruleset's file, made when absent: nft reads no socket, which is what a child's stdin would be. */
  directory: string
  /** Folders to look for the program in. */
  path?: readonly string[]
  /** Program and arguments put before nft, for a ruleset that belongs into another network namespace. */
  prefix?: readonly string[]
}

const usualPath = ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/local/bin']
const run = promisify(execFile)
let sequence = 0

/** FAILED_PRECONDITION when nft is not installed. */
export async function openNft(options: NftOptions): Promise<Nft> {
  const program = await findNft(options.path ?? usualPath)
  const [command = program, ...args] = [...(options.prefix ?? []), program]
  return {
    async tables() {
      const { stdout } = await run(command, [...args, 'list', 'tables'])
      return [...stdout.matchAll(/^table (\S+ \S+)$/gm)].map(([, name = '']) => name)
    },
    async apply(ruleset) {
      const file = join(options.directory, `ruleset.${process.pid}.${sequence++}.nft`)
      try {
        await mkdir(options.directory, { recursive: true, mode: 0o700 })
        await writeFile(file, ruleset, { mode: 0o600 })
        await run(command, [...args, '-f', file])
      } catch (error) {
        throw refused(error, file)
      } finally {
        await rm(file, { force: true })
      }
    },
  }
}

async function findNft(path: readonly string[]): Promise<string> {
  for (const folder of path) {
    const program = join(folder, 'nft')
    const found = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return program
  }
  throw new KeelsonError('FAILED_PRECONDITION', 'the program nft is not installed', {
    hint: 'install the package nftables (Debian, Ubuntu: apt-get install nftables)',
  })
}

function refused(error: unknown, file: string): KeelsonError {
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
  const text =
    stderr.replaceAll(`${file}:`, 'line ') || (error instanceof Error ? error.message : String(error))
  return new KeelsonError('INTERNAL', `nft refused the ruleset: ${text}`, { op: 'nft', cause: error })
}
