/**
 * `monitor-pss`: what one container costs beside itself. The mean of a hundred monitors on one machine after each has
 * relayed 1 MiB of log, half of them adopted from a process that is gone; and one alone.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/base/index.ts'
import { planCgroup, readCgroupLayout } from '../../src/oci/index.ts'
import type { Row } from '../frame/row.ts'
import { removeOne, type Stage, startOne } from './stage.ts'

const many = 100
const logBytes = 1 << 20
/** Writes its mebibyte and stays: idle monitors are what a node has most of. */
const chatty = ['/bin/sh', '-c', `yes 0123456789abcdef | head -c ${logBytes}; exec sleep 100000`]
/** The monitor gives its buffers back after a second without output. */
const idleMs = 1500

export function monitorRows(stage: Stage, stateRoot: string): Row[] {
  const row = (id: string, count: number, field: string): Row => ({
    id,
    variant: 'keelson',
    version: stage.version,
    unit: 'KiB',
    every: 30,
    run: () => measure(stage, stateRoot, count, field),
  })
  return [
    row('monitor-pss', many, 'Pss'),
    row('monitor-rss-alone', 1, 'Rss'),
    row('monitor-private-dirty-alone', 1, 'Private_Dirty'),
  ]
}

async function measure(stage: Stage, stateRoot: string, count: number, field: string): Promise<number> {
  await stage.runtime[Symbol.asyncDispose]() // the zygote is no container's monitor
  const others = { ids: await ids(stage), pids: monitorPids(stage) }
  const adopted = Math.floor(count / 2)
  try {
    if (adopted > 0) await startElsewhere(stage, stateRoot, adopted)
    for (let left = count - adopted; left > 0; left--) await startOne(stage, chatty)
    const ours = (await ids(stage)).filter((id) => !others.ids.includes(id))
    await Promise.all(ours.map((id) => relayed(stage, id)))
    await stage.runtime[Symbol.asyncDispose]()
    await systemClock.sleep(idleMs)
    const monitors = monitorPids(stage).filter((pid) => !others.pids.includes(pid))
    if (monitors.length !== count) throw new Error(`${monitors.length} monitors for ${count} containers`)
    return monitors.reduce((sum, pid) => sum + memoryKiB(pid, field), 0) / count
  } finally {
    for (const container of await stage.runtime.list())
      if (!others.ids.includes(container.id)) await removeOne(stage, container)
  }
}

async function ids({ runtime }: Stage): Promise<string[]> {
  return (await runtime.list()).map(({ id }) => id)
}

/** A process that starts containers and is gone: their monitors find a new daemon. */
async function startElsewhere(stage: Stage, stateRoot: string, count: number): Promise<void> {
  const program = fileURLToPath(new URL('start-and-leave.ts', import.meta.url))
  const words = ['--import=tsx', program, stateRoot, stage.cgroup, stage.work, String(count), ...chatty]
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`start-and-leave ended with ${code}`)
}

async function relayed({ work }: Stage, id: string): Promise<void> {
  const deadlineMs = performance.now() + 60_000
  while (statSync(join(work, 'logs', id)).size < logBytes) {
    if (performance.now() > deadlineMs) throw new Error(`${id} has not written its log`)
    await systemClock.sleep(20)
  }
}

function monitorPids({ cgroup }: Stage): number[] {
  const { leaves } = planCgroup({ layout: readCgroupLayout(), path: `${cgroup}/monitors` })
  const procs = join(leaves[0] ?? '', 'cgroup.procs')
  const text = existsSync(procs) ? readFileSync(procs, 'utf8') : ''
  return text.split('\n').filter(Boolean).map(Number)
}

function memoryKiB(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN)
}
