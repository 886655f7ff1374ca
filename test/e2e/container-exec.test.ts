import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { ExecRequest } from '../../src/oci/index.ts'
import { idleContainer } from '../support/contained.ts'
import { containerStage, plainSpec } from '../support/container.ts'
import { rootTest } from '../support/root.ts'

function request(args: string[], more: Partial<ExecRequest> = {}, terminal = false): ExecRequest {
  const spec = plainSpec(args, ({ process }) => {
    process.terminal = terminal
    process.consoleSize = { width: 90, height: 33 }
  })
  return { process: spec.process ?? { cwd: '/' }, stdio: 'pipe', ...more }
}

async function all(stream: Readable | undefined): Promise<string> {
  return stream ? text(stream) : 'no stream'
}

rootTest(
  'an exec sees the container: its processes, cgroup and files, and no descriptor of ours',
  async (t) => {
    await using stage = await containerStage('exec')
    const container = await idleContainer(stage, 'host', plainSpec(['sleep', '1000']))
    const script =
      'cat /proc/1/cmdline | tr "\\0" " "; echo; ls /proc/self/fd | wc -l; grep -cv ":/$" /proc/self/cgroup; echo $HOME; echo bad >&2; exit 5'
    const execution = await container.exec(request(['sh', '-c', script]))
    const [out, err, exit] = await Promise.all([
      all(execution.stdout),
      all(execution.stderr),
      execution.wait(),
    ])
    t.deepEqual(out.trim().split('\n'), ['sleep 1000 ', '4', '0', '/root'])
    t.is(err, 'bad\n')
    t.deepEqual(exit, { exitCode: 5 })
  },
)

rootTest('stdin reaches the program and ends', async (t) => {
  await using stage = await containerStage('stdin')
  const container = await idleContainer(stage, 'host', plainSpec(['sleep', '1000']))
  const execution = await container.exec(request(['cat'], { stdin: true }))
  execution.stdin?.end('to and fro')
  t.is(await all(execution.stdout), 'to and fro')
  t.is((await execution.wait()).exitCode, 0)
})

rootTest('a terminal has its size, can be resized, and kill tells the signal', async (t) => {
  await using stage = await containerStage('tty')
  const container = await idleContainer(stage, 'host', plainSpec(['sleep', '1000']))
  const execution = await container.exec(
    request(['sh', '-c', 'tty; stty size; read x; stty size; sleep 100'], {}, true),
  )
  let seen = ''
  execution.stdout?.on('data', (chunk) => {
    seen += chunk
    if (seen.endsWith('33 90\r\n')) {
      execution.resize({ columns: 100, rows: 40 })
      execution.stdin?.write('\n')
    }
    if (seen.endsWith('40 100\r\n')) execution.kill('KILL')
  })
  t.deepEqual(await execution.wait(), { exitCode: 137, signal: 9 })
  t.regex(seen, /^\/dev\/pts\/0\r\n33 90\r\n\r\n40 100\r\n$/)
})

rootTest("what cannot be run is told in runc's words; an abort kills", async (t) => {
  await using stage = await containerStage('noexec')
  const container = await idleContainer(stage, 'host', plainSpec(['sleep', '1000']))
  await t.throwsAsync(container.exec(request(['nope'])), {
    message: 'exec: "nope": executable file not found in $PATH',
  })
  const stop = new AbortController()
  const execution = await container.exec(request(['sleep', '100'], { signal: stop.signal }))
  stop.abort()
  t.deepEqual(await execution.wait(), { exitCode: 137, signal: 9 })
  await container.kill(9)
  await container.wait()
  await t.throwsAsync(container.exec(request(['true'])), { message: /it is stopped/ })
})

rootTest('pause stops every process, resume lets them go on', async (t) => {
  await using stage = await containerStage('pause')
  const container = await idleContainer(stage, 'host', plainSpec(['sleep', '1000']))
  await container.pause()
  t.is((await container.state()).status, 'paused')
  await t.throwsAsync(container.pause(), { message: /cannot pause container host: it is paused/ })
  await container.resume()
  t.is((await container.state()).status, 'running')
  t.is((await container.pids()).length, 1)
})

rootTest('the last words on a terminal are never lost, however short the life', async (t) => {
  await using stage = await containerStage('words')
  const container = await idleContainer(stage, 'host', plainSpec(['sleep', '1000']))
  const script = 'cat /proc/1/comm | wc -l; sh -c "echo two"; echo three | cat; echo four; exit 4'
  const one = async () => {
    const execution = await container.exec(request(['sh', '-c', script], {}, true))
    const [out, exit] = await Promise.all([all(execution.stdout), execution.wait()])
    return [out, exit.exitCode]
  }
  const expected = ['1\r\ntwo\r\nthree\r\nfour\r\n', 4]
  for (let round = 0; round < 25; round++) {
    const answers = await Promise.all(Array.from({ length: 8 }, one))
    for (const answer of answers) t.deepEqual(answer, expected)
  }
})
