/** What a service manager and a container tell each other: readiness, sockets opened in advance, pidfds. */
import { copyFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { type Outcome, type Program, runProgram } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'
import { socketPeers } from '../support/socket-peer.ts'

const { programs, nextId, busyboxTest: activationTest } = ociTests('act')
let listen: ReturnType<typeof socketPeers>
test.serial.before(() => {
  listen = socketPeers(programs.folder)
})

const shell = (script: string, change: (spec: Spec) => Spec = (one) => one) =>
  busyboxSpec(['/bin/sh', '-c', script], (one) => change({ ...one, ociVersion: '1.0.2' }))
const socketPath = () => join(programs.folder, nextId())

/** As a manager would: descriptors 3 and up are opened, and the process that becomes the runtime is named. */
function activated(program: Program, words: string, args: readonly string[]): Promise<Outcome> {
  const line = `${words} exec "$0" --root "$1" "$@"`.replace('"$@"', '$ARGS')
  return runProgram('/bin/sh', ['-c', line, program.path, program.stateRoot], {
    env: { ARGS: args.join(' ') },
    cwd: programs.folder,
  })
}

const tellDescriptors =
  'echo fds=$LISTEN_FDS pid=$LISTEN_PID; for f in 3 4 5; do [ -e /proc/self/fd/$f ] && head -n 1 <&$f; done; true'

activationTest('LISTEN_FDS: the descriptors come first, LISTEN_PID is 1, as with runc', async (t) => {
  for (const [index, text] of ['one', 'two', 'three'].entries())
    writeFileSync(join(programs.folder, `input${index}`), `${text}\n`)
  const opened = 'exec 3<input0 4<input1 5<input2;'
  const cases: [string, string[], string][] = [
    ['both', ['--preserve-fds', '1'], `${opened} export LISTEN_FDS=2 LISTEN_PID=$$;`],
    ['without --preserve-fds', [], `${opened} export LISTEN_FDS=1 LISTEN_PID=$$;`],
    ['meant for another process', ['--preserve-fds', '2'], `${opened} export LISTEN_FDS=1 LISTEN_PID=1;`],
  ]
  const expected = ['fds=2 pid=1\none\ntwo\nthree\n', 'fds=1 pid=1\none\n', 'fds= pid=\none\ntwo\n']
  for (const [index, [what, options, words]] of cases.entries()) {
    using bundle = makeBundle(shell(tellDescriptors))
    const run = (program: Program) =>
      activated(program, words, ['run', ...options, '--bundle', bundle.path, nextId()])
    const ours = await run(programs.keelson)
    t.deepEqual([ours.code, ours.stdout], [0, expected[index] ?? ''], `${what}: ${ours.stderr}`)
    if (programs.runc) t.is(ours.stdout, (await run(programs.runc)).stdout, `${what}, as runc`)
  }
})

activationTest(
  'a descriptor that the caller did not open is refused, and none of ours goes in its place',
  async (t) => {
    using bundle = makeBundle(shell('true'))
    const refused = await programs.keelson.run([
      'run',
      '--preserve-fds',
      '2',
      '--bundle',
      bundle.path,
      nextId(),
    ])
    t.is(refused.code, 1)
    t.regex(refused.stderr, /please check that preserved-fd 1 \(of 2\) is present/)
  },
)

activationTest('READY=1 goes on to the manager with MAINPID, and start returns with it', async (t) => {
  await using manager = await listen('datagrams', socketPath())
  const run = async (args: (bundle: string, id: string) => string[][]) => {
    using bundle = makeBundle(shell('notify tell && sleep 60'))
    copyFileSync(join(programs.folder, 'socket-peer'), join(bundle.rootfs, 'bin/notify'))
    const id = nextId()
    try {
      for (const words of args(bundle.path, id)) {
        const { code, stderr } = await programs.keelson.run(words, { env: { NOTIFY_SOCKET: manager.path } })
        t.is(code, 0, stderr)
      }
      const { pid } = JSON.parse((await programs.keelson.run(['state', id])).stdout)
      t.deepEqual([await manager.next(), await manager.next()], [`READY=1|MAINPID=${pid}|`, 'BARRIER=1'])
    } finally {
      await programs.keelson.run(['delete', '--force', id])
    }
  }
  await run((bundle, id) => [
    ['create', '--bundle', bundle, id],
    ['start', id],
  ])
  await run((bundle, id) => [['run', '--detach', '--bundle', bundle, id]])
})

activationTest('a container that ends before it is ready ends the wait of start', async (t) => {
  await using manager = await listen('datagrams', socketPath())
  using bundle = makeBundle(shell('echo $NOTIFY_SOCKET; exit 0'))
  const id = nextId()
  const env = { NOTIFY_SOCKET: manager.path }
  t.is((await programs.keelson.run(['run', '--detach', '--bundle', bundle.path, id], { env })).code, 0)
  t.is((await programs.keelson.run(['delete', '--force', id])).code, 0)
})

activationTest('--pidfd-socket of create, run and exec, and the annotation', async (t) => {
  const ids = [nextId(), nextId(), nextId()] as const
  const path = socketPath()
  using plain = makeBundle(shell('sleep 60'))
  using annotated = makeBundle(
    shell('sleep 60', (one) => ({ ...one, annotations: { 'run.oci.pidfd_receiver': path } })),
  )
  const tells = async (id: string, message: string, words: readonly string[]) => {
    await using peer = await listen('descriptor', path)
    const outcome = await programs.keelson.run(words)
    t.is(outcome.code, 0, outcome.stderr)
    t.is(await peer.next(), message)
    const pid = /^Pid:\t(\d+)$/.exec(await peer.next())?.[1]
    rmSync(path)
    const { pid: first } = JSON.parse((await programs.keelson.run(['state', id])).stdout)
    return { pid: Number(pid), first }
  }
  const option = ['--pidfd-socket', path]
  try {
    const [created, ran, other] = ids
    const create = await tells(created, 'standard', ['create', ...option, '--bundle', plain.path, created])
    t.is(create.pid, create.first)
    const run = await tells(ran, 'standard', ['run', '--detach', ...option, '--bundle', plain.path, ran])
    t.is(run.pid, run.first)
    const received = await tells(other, 'standard', ['create', '--bundle', annotated.path, other])
    t.is(received.pid, received.first)
    const exec = await tells(ran, 'setns', ['exec', '--detach', ...option, ran, 'sleep', '50'])
    t.true(exec.pid > 0 && exec.pid !== exec.first)
  } finally {
    for (const id of ids) await programs.keelson.run(['delete', '--force', id])
  }
})

activationTest('a socket that is none is told before anything is made: console and pidfd', async (t) => {
  const path = join(programs.folder, nextId())
  writeFileSync(path, '')
  using bundle = makeBundle(
    shell('true', (one) => ({ ...one, process: { cwd: '/', ...one.process, terminal: true } })),
  )
  for (const option of ['--console-socket', '--pidfd-socket']) {
    using other = makeBundle(shell('true'))
    const { path: place } = option === '--console-socket' ? bundle : other
    const id = nextId()
    const refused = await programs.keelson.run(['create', option, path, '--bundle', place, id])
    t.is(refused.code, 1)
    t.regex(
      refused.stderr,
      new RegExp(`^keelson-oci: create: cannot connect to ${path}: connection refused \\(.*\\)\n$`),
    )
    t.is((await programs.keelson.run(['state', id])).code, 1)
    t.deepEqual(
      readdirSync(programs.keelson.stateRoot).filter((name) => name === id),
      [],
    )
  }
})
