/** A compile service of a build of its own, in a folder of its own, and what programs are told to find it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { decodePlan } from '../../src/oci/plan/index.ts'
import { hasBusybox } from './bundle.ts'
import { eventually } from './eventually.ts'
import type { Outcome } from './oci-programs.ts'
import { type OciTests, ociTests } from './oci-tests.ts'
import { skipWithout } from './skip.ts'

export interface CompileService extends AsyncDisposable {
  folder: string
  socket: string
  process: ChildProcess
  /** Where no Node can be found: what is done then was decided by the service. */
  alone: { env: Record<string, string> }
  env: Record<string, string>
}

export async function startCompileService(
  { keelson, folder: built }: OciTests['programs'],
  name: string,
): Promise<CompileService> {
  const folder = join(built, `service-${name}`)
  mkdirSync(folder, { mode: 0o700, recursive: true })
  chmodSync(folder, 0o700)
  const build = readFileSync(join(built, 'dist/cli/oci.build'), 'utf8')
  const env = { PATH: process.env['PATH'] ?? '', KEELSON_OCI_SERVICE: folder }
  const child = spawn(keelson.path, ['compile-service'], { env, stdio: 'ignore' })
  const socket = join(folder, build)
  await eventually('the service listens', () => existsSync(socket))
  return {
    folder,
    socket,
    process: child,
    env,
    alone: { env: { PATH: '/nonexistent', KEELSON_OCI_SERVICE: folder } },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

export interface ServiceTests {
  programs: OciTests['programs']
  nextId: () => string
  /** There from the first test on. */
  service: () => CompileService
  /** One after the other: a front waits for its service no longer than 250 ms. */
  serialTest: OciTests['busyboxTest']
  remove: (id: string) => Promise<Outcome>
}

/** One service for the tests of a file; `name` is part of every id. */
export function serviceTests(name: string): ServiceTests {
  const { programs, nextId } = ociTests(name)
  let service: CompileService | undefined
  test.serial.before(async () => {
    if (process.geteuid?.() === 0) service = await startCompileService(programs, 'shared')
  })
  test.after.always(async () => {
    await service?.[Symbol.asyncDispose]()
  })
  const isRoot = process.geteuid?.() === 0
  return {
    programs,
    nextId,
    service() {
      if (service === undefined) throw new Error('the service is there when the tests begin')
      return service
    },
    serialTest: skipWithout('root and busybox-static', hasBusybox && isRoot, (title, body) =>
      test.serial(title, body),
    ),
    remove: (id) => programs.withoutFront.run(['delete', '--force', id]),
  }
}

/** All of a container's directory that does not tell when and as which process it was made. */
export function recordOf(stateRoot: string, id: string): Record<string, unknown> {
  const directory = join(stateRoot, id)
  return Object.fromEntries(
    readdirSync(directory)
      .sort()
      .map((name) => [name, /^(pid|lock|started|.*sock)$/.test(name) ? '' : textOf(join(directory, name))]),
  )
}

function textOf(path: string): string {
  const bytes = readFileSync(path)
  const text = path.endsWith('.plan') ? JSON.stringify(decodePlan(bytes)) : bytes.toString()
  return text
    .replace(/"createdAtNs":"\d+"/, '"createdAtNs":"TIME"')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
}
