import { readFileSync } from 'node:fs'
import type { Clock, Logger } from '../../../base/index.ts'
import { isFirstUserNamespace } from '../../../oci/privileges.ts'
import { build } from '../../version.ts'
import { serviceFolder } from './folder.ts'
import { serveCompiles } from './serve.ts'
import { warmUp } from './warm-up.ts'

/**
 * The service of this user and build; undefined where there is no place for it, or this is no build. `isReady`: it is
 * as quick for the first front as for the others.
 */
export async function startService(
  env: Readonly<Record<string, string | undefined>>,
  { clock, log, isReady = false }: { clock: Clock; log: Logger; isReady?: boolean },
): Promise<AsyncDisposable | undefined> {
  const isRoot = process.geteuid?.() === 0 && isFirstUserNamespace(readFileSync('/proc/self/uid_map', 'utf8'))
  const folder = serviceFolder(env, isRoot)
  if (folder === undefined || build === undefined) return undefined
  if (isReady) await warmUp(build)
  return serveCompiles({ folder, build, clock, log })
}

/** For a process that is there for something else: it also serves, where it can. */
export async function serveBeside(options: { clock: Clock; log: Logger }): Promise<AsyncDisposable> {
  try {
    const service = await startService(process.env, options)
    if (service) return service
  } catch (error) {
    options.log.warn('creates of keelson-oci are not decided by this process', { error })
  }
  return { async [Symbol.asyncDispose]() {} }
}
