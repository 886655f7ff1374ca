import { configOptions, resolveConfig } from '../config.ts'
import { command } from '../context.ts'
import { resolveCriConfig } from '../cri-config.ts'
import { checkMachine } from '../doctor/check-machine.ts'
import { columns } from '../help.ts'

const marks = { ok: '✔', warning: '!', failed: '✘' }

export default command({
  name: 'doctor',
  summary:
    'check this machine: what keelson needs, and what will be missing; exit code 1 when it cannot work',
  options: {
    'data-dir': configOptions['data-dir'],
    'run-dir': configOptions['run-dir'],
    config: {
      type: 'string',
      value: 'FILE',
      help: 'look at the directories of this configuration of `keelson cri`',
    },
    json: {
      type: 'boolean',
      help: 'print an array of {name, result, detail}; result is ok, warning or failed',
    },
  },
  run: async ({ print }, flags) => {
    const places = await (flags.config === undefined ? resolveConfig(flags) : resolveCriConfig(flags))
    const checks = checkMachine(places)
    if (flags.json) print(JSON.stringify(checks, undefined, 2))
    else
      for (const line of columns(checks.map(({ name, result, detail }) => [marks[result], name, detail])))
        print(line)
    return checks.some(({ result }) => result === 'failed') ? 1 : 0
  },
})
