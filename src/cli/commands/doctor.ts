import { configOptions, resolveConfig } from '../config.ts'
import { command } from '../context.ts'
import { columns } from '../help.ts'
import { checkMachine } from '../preflight.ts'

const marks = { ok: '✔', warning: '!', failed: '✘' }

export default command({
  name: 'doctor',
  summary: 'check this machine: what keelson needs, and what will be missing',
  options: configOptions,
  run: async (context, flags) => {
    const { dataDirectory } = await resolveConfig(flags)
    const checks = await checkMachine(dataDirectory)
    if (!context.isRoot)
      checks.unshift({ name: 'root', result: 'warning', detail: 'not root: clusters and containers need it' })
    for (const line of columns(checks.map(({ name, result, detail }) => [marks[result], name, detail])))
      context.print(line)
    return checks.some(({ result }) => result === 'failed') ? 1 : 0
  },
})
