// Running programs and talking to the person who watches.
import { execFile, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const bold = (text) => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text)
export const say = (text = '') => process.stdout.write(`${text}\n`)
export const heading = (text) => say(`\n${bold(`▸ ${text}`)}`)

/** Shows the command, runs it, gives back its standard output. Throws with the last lines of stderr. */
export async function run(command, args, options = {}) {
  if (!options.quiet) say(`  $ ${[command.split('/').at(-1), ...args].join(' ')}`)
  const { code, stdout, stderr } = await tryRun(command, args, options)
  if (code !== 0)
    throw new Error(
      `${command} ${args.join(' ')} failed (${code}): ${stderr.trim().split('\n').slice(-3).join(' / ')}`,
    )
  return stdout
}

export function tryRun(command, args, { env, cwd, input } = {}) {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      { cwd, env: { ...process.env, ...env }, maxBuffer: 64 * 2 ** 20 },
      (error, stdout, stderr) => resolve({ code: error ? (error.code ?? 1) : 0, stdout, stderr }),
    )
    if (input !== undefined) child.stdin.end(input)
  })
}

/** Runs with the person's terminal and waits. */
export function show(command, args, { env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    })
    child.once('error', reject)
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ${args.join(' ')} failed (${code})`)),
    )
  })
}

/** Rows as left-aligned columns. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column] ?? '').length)))
  for (const row of rows)
    say(
      `  ${row
        .map((cell, column) => String(cell ?? '').padEnd(widths[column]))
        .join('   ')
        .trimEnd()}`,
    )
}
