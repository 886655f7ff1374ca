import { KeelsonError } from '../../base/index.ts'
import { readBundle } from '../oci/bundle.ts'
import { command } from '../oci/context.ts'
import { criuOptions, criuOptionsOf, requireRoot } from '../oci/criu-options.ts'
import { forwardSignals } from '../oci/foreground.ts'
import { orDelete, writePidFile } from '../oci/start-options.ts'

export default command({
  name: 'restore',
  summary: 'make a container from the files of a checkpoint, running',
  args: ['container'],
  options: {
    ...criuOptions,
    bundle: { type: 'string', short: 'b', value: 'DIR', help: 'the bundle; default: the current directory' },
    'console-socket': {
      type: 'string',
      value: 'SOCKET',
      help: 'refused: criu hands terminals only to programs that speak its protocol',
    },
    detach: { type: 'boolean', short: 'd', help: 'leave the container running' },
    'pid-file': {
      type: 'string',
      value: 'FILE',
      help: 'write the pid of the container’s first process there',
    },
    'no-subreaper': { type: 'boolean', help: 'accepted: orphans of the container are never ours' },
    'no-pivot': { type: 'boolean', help: 'refused: criu switches the root by pivot_root' },
    'lsm-profile': { type: 'string', value: 'TYPE:NAME', help: 'apparmor or selinux, and the profile' },
    'lsm-mount-context': { type: 'string', value: 'CONTEXT', help: 'takes the place of those of the mounts' },
  },
  async run(context, given) {
    requireRoot()
    for (const name of ['console-socket', 'no-pivot'] as const)
      if (given[name]) throw new KeelsonError('UNIMPLEMENTED', `--${name} is not supported with restore`)
    const { bundle, spec } = readBundle(given.bundle ?? '.')
    const { detach = false } = given
    const profile = given['lsm-profile']
    const mountContext = given['lsm-mount-context']
    const { restoreContainer } = await import('../../oci/criu/index.ts')
    const container = await restoreContainer(context.runtimeOptions, {
      ...criuOptionsOf(given),
      id: given.container,
      bundle,
      spec,
      criu: context.globals.criu,
      stdio: [0, 1, 2],
      wait: !detach,
      ...(profile === undefined ? {} : { lsmProfile: profile }),
      ...(mountContext === undefined ? {} : { lsmMountContext: mountContext }),
    })
    await orDelete(container, context, async () =>
      writePidFile(given['pid-file'], (await container.state()).pid),
    )
    if (detach) return 0
    using _signals = forwardSignals((signal) => void container.kill(signal).catch(() => undefined))
    const { exitCode } = await container.wait()
    await container.delete({ force: true })
    return exitCode
  },
})
