/**
 * The native front beside the commands in Node that it stands for: the same scenarios by both, byte for byte. Where
 * the front must have answered by itself, it runs where no Node can be found.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { signalNumber } from '../../src/oci/signals.ts'
import type { Spec } from '../../src/oci/spec.ts'
import { readRecord } from '../../src/oci/state/record.ts'
import { type Bundle, busyboxSpec, makeBundle } from '../support/bundle.ts'
import { eventually } from '../support/eventually.ts'
import type { Outcome, Program } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'

const { programs, nextId, busyboxTest: frontTest } = ociTests('front')

/** Who answers: the front alone, or whoever it is handed on to. */
type By = 'front' | 'node'
type Step = [by: By, ...words: string[]]

/** What both must have in common: all but the pid, and the times. */
interface Seen {
  words: string
  outcome: Outcome
  log: string | undefined
  files: string[]
}

const withoutNode = { env: { PATH: '/nonexistent' } }

async function play(program: Program, bundle: Bundle, id: string, steps: readonly Step[]): Promise<Seen[]> {
  const seen: Seen[] = []
  const log = join(bundle.path, 'log')
  const directory = join(program.stateRoot, id)
  const created = await program.run(['create', '--bundle', bundle.path, id])
  try {
    seen.push(look('create', created))
    for (const [by, ...words] of steps) {
      const named = words.map((word) => word.replace('ID', id).replace('LOG', log))
      if (words[0] === 'gone') await eventually('it has ended', () => ended(directory))
      else {
        const options = by === 'front' && program === programs.keelson ? withoutNode : {}
        seen.push(look(words.join(' '), await program.run(named, options)))
      }
    }
  } finally {
    await programs.withoutFront.run(['delete', '--force', id])
  }
  return seen

  function look(words: string, { code, stdout, stderr }: Outcome): Seen {
    const files = existsSync(directory) ? readdirSync(directory).sort() : []
    const text = existsSync(log) ? readFileSync(log, 'utf8') : undefined
    rmSync(log, { force: true })
    return {
      words,
      outcome: { code, stdout: plain(stdout), stderr: plain(stderr) },
      log: text && plain(text),
      files,
    }
  }
}

function plain(text: string): string {
  return text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME').replace(/"pid": [1-9]\d*/g, '"pid": PID')
}

function ended(directory: string): boolean {
  const pid = readRecord(directory)?.process?.pid
  try {
    return /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

async function compare(
  t: ExecutionContext,
  config: Spec,
  steps: readonly Step[],
  id = nextId(),
): Promise<Seen[]> {
  using bundle = makeBundle(config)
  const front = await play(programs.keelson, bundle, id, steps)
  const node = await play(programs.withoutFront, bundle, id, steps)
  t.deepEqual(front, node)
  return front
}

const sleeper = busyboxSpec(['/bin/sleep', '1000'])

frontTest('a life from created to deleted', async (t) => {
  const seen = await compare(t, { ...sleeper, annotations: { 'a"b\n': 'ü', c: '' } }, [
    ['front', 'state', 'ID'],
    ['front', 'kill', 'ID', '0'],
    ['node', 'delete', '--no-such-option', 'ID'],
    ['front', 'start', 'ID'],
    ['front', 'state', 'ID'],
    ['front', 'start', 'ID'],
    ['node', 'delete', 'ID'],
    ['node', 'pause', 'ID'],
    ['front', 'state', 'ID'],
    ['node', 'start', 'ID'],
    ['node', 'delete', 'ID'],
    ['node', 'resume', 'ID'],
    ['front', 'state', '--', 'ID'],
    ['node', 'state', 'ID', 'more'],
    ['node', 'state'],
    ['node', 'kill', 'ID', 'NONSENSE'],
    ['node', 'kill', 'ID', '65'],
    ['front', 'kill', 'ID', 'sigkill'],
    ['front', 'gone'],
    ['front', 'state', 'ID'],
    ['front', 'kill', 'ID'],
    ['front', 'start', 'ID'],
    ['front', 'delete', 'ID'],
    ['front', 'state', 'ID'],
    ['front', 'kill', 'ID', '9'],
    ['front', 'start', 'ID'],
    ['front', 'delete', '--force=false', 'ID'],
    ['front', 'delete', '--force', 'ID'],
  ])
  const statuses = seen.map(({ outcome }) => /"status": "(\w+)"/.exec(outcome.stdout)?.[1]).filter(Boolean)
  t.deepEqual(statuses, ['created', 'running', 'paused', 'running', 'stopped'])
  t.deepEqual(seen.at(-6)?.files, [], 'deleted')
})

frontTest('what is logged, in either format, and the log file that is there in any case', async (t) => {
  const json = ['--log', 'LOG', '--log-format', 'json']
  const seen = await compare(t, sleeper, [
    ['front', ...json, 'state', 'ID'],
    ['front', ...json, 'start', 'ID'],
    ['node', ...json, 'delete', 'ID'],
    ['front', ...json, 'start', 'ID'],
    ['node', '-log=LOG', 'delete', 'ID'],
    ['front', '-log=LOG', 'start', 'ID'],
    ['front', '--log-format=json', 'start', 'ID'],
    ['node', '--log-format=xml', 'state', 'ID'],
    ['node', '--debug', 'state', 'ID'],
    ['node', '--systemd-cgroup', 'state', 'ID'],
    ['node', '--log', '/nonexistent/log', 'state', 'ID'],
    ['front', '--log=', 'state', 'ID'],
    ['front', ...json, 'kill', 'ID', 'KILL'],
    ['front', 'gone'],
    ['front', ...json, 'kill', 'ID', 'KILL'],
    ['front', ...json, 'delete', '-f=true', 'ID'],
    ['front', ...json, 'delete', '-f', 'ID'],
    ['front', ...json, 'state', 'ID'],
  ])
  t.deepEqual([seen[1]?.log, seen[2]?.log], ['', ''])
  t.regex(seen.at(-1)?.log ?? '', /"level":"error".*does not exist/)
})

frontTest('a program that cannot be run is told in the same words, once', async (t) => {
  using bundle = makeBundle(busyboxSpec(['/bin/garbage']))
  writeFileSync(join(bundle.rootfs, 'bin/garbage'), 'no program at all', { mode: 0o755 })
  const steps: Step[] = [
    ['node', 'start', 'ID'],
    ['front', 'gone'],
    ['node', 'start', 'ID'],
    ['front', 'delete', 'ID'],
  ]
  const id = `kt-front-${process.pid}-garbage`
  const front = await play(programs.keelson, bundle, id, steps)
  t.deepEqual(front, await play(programs.withoutFront, bundle, id, steps))
  t.regex(front[1]?.outcome.stderr ?? '', /exec: "\/bin\/garbage": exec format error/)
  t.regex(front[2]?.outcome.stderr ?? '', /is stopped/)
})

frontTest('groups that the container made go with it; one that is in use is left to Node', async (t) => {
  const nested = (one: Spec): Spec => ({
    ...one,
    mounts: [
      ...(one.mounts ?? []).filter(({ type }) => type !== 'cgroup'),
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['rw'] },
    ],
  })
  const script =
    'for d in /sys/fs/cgroup/* /sys/fs/cgroup; do mkdir -p $d/a/b $d/c; done 2>/dev/null; sleep 1000'
  const id = nextId()
  const steps: Step[] = [
    ['front', 'start', 'ID'],
    ['front', 'kill', 'ID', '9'],
    ['front', 'gone'],
    ['front', 'delete', 'ID'],
  ]
  const seen = await compare(t, busyboxSpec(['/bin/sh', '-c', script], nested), steps, id)
  t.is(seen.at(-1)?.outcome.code, 0)
  const top = '/sys/fs/cgroup'
  const left = readdirSync(top).filter((name) => existsSync(join(top, name, id)))
  t.deepEqual(left, [])
})

frontTest('without its record, or with one it does not know, Node does everything', async (t) => {
  using bundle = makeBundle(sleeper)
  const id = `kt-front-${process.pid}-bare`
  const { run, stateRoot } = programs.keelson
  t.teardown(() => programs.withoutFront.run(['delete', '--force', id]))
  t.like(await run(['create', '--bundle', bundle.path, id]), { code: 0, stderr: '' })
  for (const bytes of ['', 'nonsense', Buffer.alloc(4096)]) {
    writeFileSync(join(stateRoot, id, 'verbs.plan'), bytes)
    t.like(await run(['state', id], withoutNode), { code: 1 })
    t.like(JSON.parse((await run(['state', id])).stdout), { id, status: 'created' })
  }
  rmSync(join(stateRoot, id, 'verbs.plan'))
  t.like(await run(['start', id]), { code: 0, stderr: '' })
  t.like(await run(['kill', id, 'KILL']), { code: 0, stderr: '' })
  await eventually('it has ended', () => ended(join(stateRoot, id)))
  t.like(await run(['delete', id]), { code: 0, stderr: '' })
})

frontTest('a pid that is somebody else’s by now is not signalled', async (t) => {
  using bundle = makeBundle(sleeper)
  const id = `kt-front-${process.pid}-other`
  const { run, stateRoot } = programs.keelson
  t.teardown(() => programs.withoutFront.run(['delete', '--force', id]))
  t.like(await run(['create', '--bundle', bundle.path, id]), { code: 0, stderr: '' })
  const file = join(stateRoot, id, 'pid')
  const own = readFileSync(file, 'utf8')
  writeFileSync(file, `${process.pid} 1\n`)
  t.like(JSON.parse((await run(['state', id], withoutNode)).stdout), { status: 'stopped', pid: 0 })
  t.regex((await run(['kill', id, 'KILL'], withoutNode)).stderr, /is stopped/)
  writeFileSync(file, own)
  t.like(await run(['kill', id, 'KILL'], withoutNode), { code: 0, stderr: '' })
})

frontTest('of two starts and two deletes at once, one wins and the other is told', async (t) => {
  using bundle = makeBundle(sleeper)
  const id = `kt-front-${process.pid}-race`
  const { run, stateRoot } = programs.keelson
  t.teardown(() => programs.withoutFront.run(['delete', '--force', id]))
  t.like(await run(['create', '--bundle', bundle.path, id]), { code: 0, stderr: '' })
  const codes = async (words: string[]) =>
    (await Promise.all([run(words), run(words)])).map(({ code }) => code).sort()
  t.deepEqual(await codes(['start', id]), [0, 1])
  t.like(await run(['kill', id, 'KILL'], withoutNode), { code: 0 })
  await eventually('it has ended', () => ended(join(stateRoot, id)))
  t.deepEqual(await codes(['delete', id]), [0, 1])
  t.false(existsSync(join(stateRoot, id)))
})

test('the front and Node read the same signals', (t) => {
  const header = readFileSync(new URL('../../native/front/signals.generated.h', import.meta.url), 'utf8')
  const table = [...header.matchAll(/X\((\d+), (\w+)\)/g)].map(([, number, name]) => [name, Number(number)])
  t.true(table.length > 30)
  for (const [name, number] of table) t.is(signalNumber(String(name)), Number(number), String(name))
})

frontTest('the time of a log line is the time', async (t) => {
  const { run } = programs.keelson
  const before = Date.now()
  const { stderr } = await run(['--log-format', 'json', 'state', 'nobody'], withoutNode)
  const time = Date.parse(JSON.parse(stderr).time)
  t.true(before - 1 <= time && time <= Date.now(), stderr)
})

frontTest('whatever the words are, the answer is Node’s', async (t) => {
  mkdirSync(programs.keelson.stateRoot, { recursive: true })
  const word = fc.oneof(
    fc.constantFrom('state', 'start', 'kill', 'delete', '--root', '--log-format', 'json', '--', '-', '-f'),
    fc.constantFrom('--force=1', '--force=x', '--all', '--help', '-v', '--root=', '..', 'a/b', ''),
    fc.string({ maxLength: 6 }).filter((text) => !text.includes('\0')),
  )
  for (const words of fc.sample(fc.array(word, { maxLength: 4 }), 12))
    t.deepEqual(await programs.keelson.run(words), await programs.withoutFront.run(words), words.join(' '))
})
