/** Bundles with hooks, and what may not be left of their containers. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hook, Hooks, Spec } from '../../src/oci/spec.ts'
import { type Bundle, busyboxSpec, makeBundle } from './bundle.ts'
import type { Program } from './oci-programs.ts'

/** A shell script as a hook; inside of the container the shell is busybox's, at the same path. */
export const script = (text: string, more: Partial<Hook> = {}): Hook => ({
  path: '/bin/sh',
  args: ['sh', '-c', text],
  ...more,
})

export function bundleWith(
  hooks: (bundle: { path: string }) => Hooks,
  change: (spec: Spec) => Spec = (one) => one,
): Bundle {
  const bundle = makeBundle({})
  const spec = busyboxSpec(['/bin/sh', '-c', 'echo program'], (one) =>
    change({ ...one, ociVersion: '1.0.2' }),
  )
  writeFileSync(join(bundle.path, 'config.json'), JSON.stringify({ ...spec, hooks: hooks(bundle) }))
  // Where hooks of both sides write to: /out in the container.
  mkdirSync(join(bundle.path, 'out'))
  chmodSync(join(bundle.path, 'out'), 0o777)
  mkdirSync(join(bundle.rootfs, 'out'))
  return bundle
}

/** What of a container could still be there: its directory, its cgroups, its mounts. */
export function leftovers(program: Program, bundle: Bundle, id: string): string[] {
  // Others make and remove groups meanwhile, which find complains about.
  const groups = spawnSync('find', ['/sys/fs/cgroup', '-name', id, '-type', 'd'], { encoding: 'utf8' }).stdout
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return [
    ...(existsSync(join(program.stateRoot, id)) ? ['its state'] : []),
    ...groups.split('\n').filter((line) => line !== ''),
    ...mounts.filter((line) => line.includes(bundle.path) || line.includes(id)),
  ]
}

export function processesNamed(command: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() === command
      } catch {
        return false
      }
    })
}
