import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { OwnedFd } from '../../src/kernel/index.ts'

const run = promisify(execFile)
/** Not the caller's: npx puts node_modules/.bin in front, where another `nft` lives. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Runs a command inside namespaces that are held open, and gives its trimmed output. */
export async function inside(
  namespaces: { net?: OwnedFd; ipc?: OwnedFd; uts?: OwnedFd },
  command: string,
  ...args: string[]
): Promise<string> {
  const flags = Object.entries(namespaces).map(([kind, { fd }]) => `--${kind}=/proc/${process.pid}/fd/${fd}`)
  const { stdout } = await run('nsenter', [...flags, '--', command, ...args], { env: { PATH: systemPath } })
  return stdout.trim()
}
