import test from 'ava'
import { commandsWith } from '../../src/cli/command.ts'
import { runCommand } from '../../src/cli/run-command.ts'

const exec = commandsWith<unknown[]>()({
  name: 'exec',
  summary: 'run a program',
  args: ['container', 'command...'],
  options: { tty: { type: 'boolean', short: 't', help: 'a terminal' } },
  run: async (seen, { container, command, tty = false }) => {
    seen.push({ container, command, tty })
    return container === 'seven' ? 7 : undefined
  },
})

async function run(...words: string[]) {
  let printed = ''
  const seen: unknown[] = []
  const print = (text: string) => {
    printed += text
  }
  const exitCode = await runCommand({ program: 'p', command: exec, words, context: () => seen, print })
  return { exitCode, printed, seen }
}

test('a command gets its context, arguments and options by name', async (t) => {
  t.deepEqual(await run('-t', 'box', 'ls', '-t', '--help'), {
    exitCode: 0,
    printed: '',
    seen: [{ container: 'box', command: ['ls', '-t', '--help'], tty: true }],
  })
  t.is((await run('seven')).exitCode, 7)
})

test('--help prints and runs nothing, needed arguments or not', async (t) => {
  for (const words of [['--help'], ['-h'], ['-t', '-h', 'box']]) {
    const { exitCode, printed, seen } = await run(...words)
    t.is(exitCode, 0)
    t.regex(printed, /usage: p exec \[options\] <container> \[command\]/)
    t.deepEqual(seen, [])
  }
})

test('a mistake is refused', async (t) => {
  await t.throwsAsync(run('--frob', 'box'), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(run(), { code: 'INVALID_ARGUMENT', message: /<container> is missing/ })
})
