import { spawnSync } from 'node:child_process'
import { KeelsonError } from '../../base/index.ts'
import { command } from '../oci/context.ts'

export default command({
  name: 'ps',
  summary: 'show the processes of a container; what follows goes to ps(1), default -ef',
  args: ['container', 'options...'],
  options: { format: { type: 'string', short: 'f', value: 'table|json', help: 'default: table' } },
  async run({ runtime, out }, { container, options, format = 'table' }) {
    if (format !== 'table' && format !== 'json')
      throw new KeelsonError('INVALID_ARGUMENT', `unknown format ${JSON.stringify(format)}`, {
        hint: 'use table or json',
      })
    const pids = await (await (await runtime()).get(container)).pids()
    out(
      format === 'json'
        ? `${JSON.stringify(pids)}\n`
        : filterPs(runPs(options.length > 0 ? options : ['-ef']), pids),
    )
  },
})

function runPs(options: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync('ps', options, { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (error)
    throw new KeelsonError('UNAVAILABLE', 'the program ps is not installed', {
      cause: error,
      hint: 'install procps, or use --format json',
    })
  if (status !== 0)
    throw new KeelsonError('INVALID_ARGUMENT', `ps: ${stderr.trim() || `exit status ${status}`}`)
  return stdout
}

/** The heading, and the lines whose PID column names one of ours. */
export function filterPs(output: string, pids: readonly number[]): string {
  const [heading = '', ...lines] = output.split('\n')
  const column = heading.trim().split(/\s+/).indexOf('PID')
  if (column < 0) throw new KeelsonError('INVALID_ARGUMENT', 'ps: there is no PID column', { hint: 'add it' })
  const wanted = new Set(pids.map(String))
  const ours = lines.filter((line) => wanted.has(line.trim().split(/\s+/)[column] ?? ''))
  return [heading, ...ours].map((line) => `${line}\n`).join('')
}
