import type { ContainerConfig } from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'
import type { ImageConfig } from '../../image/index.ts'

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

type RunConfig = ImageConfig['config']

/** `command` takes the place of ENTRYPOINT and drops CMD; `args` takes the place of CMD (Kubernetes' words). */
export function processArgs(config: ContainerConfig, image: RunConfig): string[] {
  const entrypoint = config.command.length > 0 ? config.command : (image.Entrypoint ?? [])
  const imageCommand = config.command.length > 0 ? [] : (image.Cmd ?? [])
  const args = [...entrypoint, ...(config.args.length > 0 ? config.args : imageCommand)]
  if (args.length > 0) return args
  throw new KeelsonError('INVALID_ARGUMENT', 'neither the container nor its image says what to run', {
    hint: 'set command or args',
  })
}

/** The image's variables, then the caller's over them by name. PATH, HOSTNAME and with a terminal TERM are always there. */
export function processEnv(config: ContainerConfig, image: RunConfig, hostname: string): string[] {
  const variables = new Map<string, string>([['PATH', defaultPath]])
  if (hostname) variables.set('HOSTNAME', hostname)
  if (config.tty) variables.set('TERM', 'xterm')
  for (const variable of image.Env ?? []) {
    const [name = '', ...value] = variable.split('=')
    variables.set(name, value.join('='))
  }
  for (const { key, value } of config.envs) variables.set(key, value.toString())
  return [...variables].map(([name, value]) => `${name}=${value}`)
}

export function workingDirectory(config: ContainerConfig, image: RunConfig): string {
  return config.workingDir || image.WorkingDir || '/'
}
