/**
 * The command line as callers use it: `oci-cli-lifecycle` with no keelson process alive, `-alive` with one that
 * decides creates, the later commands one by one, and the most memory that any of them took.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { systemClock } from '../../src/base/index.ts'
import type { Cost, Driver } from '../frame/driver.ts'
import type { Row } from '../frame/row.ts'
import { nextId } from './stage.ts'

export interface Program {
  /** `keelson`, or the peer's name. */
  variant: string
  version: string
  /** With its options before the command. */
  command: readonly string[]
  driver: Driver
  /** Makes a bundle that runs this. */
  bundle: (name: string, args: string[]) => string
  pidFile: string
}

/** create + start + delete: three commands; the wait for the program's end between them is not counted. */
export function lifecycleRow(id: string, program: Program): Row {
  const { variant, version } = program
  const bundle = program.bundle(`${variant}-${id}`, ['/bin/true'])
  return {
    id,
    variant,
    version,
    async run() {
      const { create, start, remove } = await live(program, bundle, false)
      return create.wallMs + start.wallMs + remove.wallMs
    },
  }
}

/** Each in a life of its own, of which nothing else is counted. */
export function laterRows(program: Program): Row[] {
  const { variant, version } = program
  const bundle = program.bundle(`${variant}-later`, ['/bin/sleep', '100000'])
  const row = (id: string, pick: (life: Life) => number, unit: 'ms' | 'KiB' = 'ms'): Row => ({
    id: `oci-cli-${id}`,
    variant,
    version,
    unit,
    every: 2,
    run: async () => pick(await live(program, bundle, true)),
  })
  return [
    row('start', ({ start }) => start.wallMs),
    row('state', ({ state }) => state.wallMs),
    row('kill', ({ kill }) => kill.wallMs),
    row('delete', ({ remove }) => remove.wallMs),
    row('peak-rss', (life) => Math.max(...Object.values(life).map((cost: Cost) => cost.peakKiB)), 'KiB'),
  ]
}

interface Life {
  create: Cost
  start: Cost
  state: Cost
  kill: Cost
  remove: Cost
}

async function live({ driver, command, pidFile }: Program, bundle: string, whole: boolean): Promise<Life> {
  const id = nextId()
  const create = await driver.run([...command, 'create', '--bundle', bundle, '--pid-file', pidFile, id])
  const start = await driver.run([...command, 'start', id])
  const state = whole ? await driver.run([...command, 'state', id]) : start
  const kill = whole ? await driver.run([...command, 'kill', id, 'KILL']) : start
  await driver.reap(Number(readFileSync(pidFile, 'utf8')))
  const remove = await driver.run([...command, 'delete', id])
  return { create, start, state, kill, remove }
}

/** A process that decides creates, for whoever has this folder as KEELSON_OCI_SERVICE. */
export async function startCompileService(path: string, folder: string): Promise<AsyncDisposable> {
  mkdirSync(folder, { mode: 0o700 })
  const env = { ...process.env, KEELSON_OCI_SERVICE: folder }
  const child = spawn(path, ['compile-service'], { env, stdio: ['ignore', 'inherit', 'inherit'] })
  while (!existsSync(folder) || readdirSync(folder).length === 0) {
    if (child.exitCode !== null) throw new Error(`compile-service ended with ${child.exitCode}`)
    await systemClock.sleep(20)
  }
  return {
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}
