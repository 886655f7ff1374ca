/**
 * What a start-up snapshot remembers besides its modules. V8 compiles a function at its first call, which for one
 * `create` takes longer than all that the functions then do; what has run before the snapshot is taken is in it
 * compiled. So the commands that only Node can do are carried out once, on files that go again, and with an addon in
 * place that agrees to everything and does nothing.
 */
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { forgetBootId, processStat } from '../../base/index.ts'
import { type Native, standIn } from '../../kernel/native.ts'
import { defaultSpec } from '../../oci/default-spec.ts'
import { frameType } from '../../oci/frames.ts'
import { defaultSeccompProfile, type Spec } from '../../oci/index.ts'
import { decodePlan } from '../../oci/plan/codec.ts'
import type { Operation } from '../../oci/plan/operations.ts'
import { recordFiles, writeProcess, writeRecords } from '../../oci/state/record.ts'
import { main } from './program.ts'

/** The exit codes of the commands: 0 for each that went through to its end. */
export async function rehearse(): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-rehearsal-'))
  const state = join(folder, 'state')
  using _door = standIn(agreeable(state))
  try {
    writeFileSync(join(folder, 'config.json'), JSON.stringify(ordinarySpec(folder)))
    const globals = ['--root', state, '--log', join(folder, 'log'), '--log-format', 'json']
    const start = ['--bundle', folder, '--pid-file', join(folder, 'pid')]
    const created = await main([...globals, 'create', ...start, 'one'])
    const executed = await main([...globals, 'exec', '--detach', '--env', 'A=B', 'one', 'true'])
    const run = await main([...globals, 'run', '--detach', ...start, 'two'])
    return [created, executed, run]
  } finally {
    rmSync(folder, { recursive: true, force: true })
    forgetBootId()
  }
}

/** What engines send: their filter, limits, binds and tmpfs. */
function ordinarySpec(folder: string): Spec {
  const spec = defaultSpec()
  const names = spec.process?.capabilities?.bounding ?? []
  return {
    ...spec,
    process: { cwd: '/', ...spec.process, terminal: false, oomScoreAdj: 0 },
    root: { path: folder },
    mounts: [
      ...(spec.mounts ?? []),
      { destination: '/etc/hosts', type: 'bind', source: folder, options: ['rbind', 'rprivate', 'ro'] },
    ],
    annotations: { name: 'one' },
    linux: {
      ...spec.linux,
      cgroupsPath: '/keelson-rehearsal',
      resources: {
        ...spec.linux?.resources,
        memory: { limit: 64 << 20 },
        cpu: { shares: 256, quota: 50_000, period: 100_000 },
        pids: { limit: 256 },
      },
      seccomp: defaultSeccompProfile({ capabilities: names }),
    },
  }
}

/** A descriptor of nothing wherever one is asked for, and keelson-init's answers and records. */
function agreeable(state: string): Partial<Native> {
  const payload = Buffer.alloc(16)
  payload.writeUInt32LE(process.pid)
  let isHeld = false
  const open = () => openSync('/dev/null', 'r')
  return {
    originalFileLimit: () => ({ soft: 1024n, hard: 4096n }),
    seccompFlags: () => 0,
    landlockAbi: () => 0,
    whichExist: (paths) => paths.map((path) => existsSync(path)),
    readFiles: (directory, names) => names.map((name) => readIfThere(join(directory, name))),
    tryLockFile: open,
    pidfdOpen: open,
    spawnInit(_program, plan) {
      const { parent } = decodePlan(plan)
      isHeld = parent.some(({ op }) => op === 'reportCreated')
      writeRecordsOf(parent, state)
      return { control: open(), pid: Promise.resolve(process.pid) }
    },
    sendInitFrame() {},
    receiveAnswer: async () => ({
      type: isHeld ? frameType.created : frameType.started,
      payload,
      terminal: -1,
    }),
    startProgram: async () => ({ type: 0, payload }),
    reapInit: async () => 0,
  }
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

/** What keelson-init writes first of all: the container's records. */
function writeRecordsOf(parent: readonly Operation[], state: string): void {
  const records = parent.flatMap((one) => (one.op === 'replaceFile' ? [[one.name, one.data] as const] : []))
  const decided = records.find(([name]) => name === recordFiles.state)?.[1]
  if (!decided) return // an exec
  const directory = join(state, JSON.parse(Buffer.from(decided).toString()).id)
  writeRecords(directory, Object.fromEntries(records))
  writeProcess(directory, { pid: process.pid, ...processStat(process.pid) })
}
