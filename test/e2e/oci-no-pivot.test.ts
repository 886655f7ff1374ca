/** The root without pivot_root, by the real command line. */
import { execFileSync } from 'node:child_process'
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import type { Program } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'

const { programs, nextId, busyboxTest: rootedTest } = ociTests('nopivot')

/** All capabilities that it takes to try. */
function mighty(script: string): Spec {
  const names = [
    'CAP_SYS_ADMIN',
    'CAP_SYS_CHROOT',
    'CAP_DAC_OVERRIDE',
    'CAP_MKNOD',
    'CAP_SETUID',
    'CAP_SETGID',
    'CAP_SETFCAP',
  ]
  return busyboxSpec(['/bin/sh', '-c', script], (one) => ({
    ...one,
    ociVersion: '1.0.2',
    root: { path: 'rootfs', readonly: false },
    process: {
      cwd: '/',
      ...one.process,
      capabilities: { bounding: names, effective: names, permitted: names },
    },
  }))
}

async function run(program: Program, spec: Spec, options: string[]) {
  using bundle = makeBundle(spec)
  return await program.run(['run', ...options, '--bundle', bundle.path, nextId()])
}

rootedTest('with --no-pivot the container has its root, its mounts and its masks', async (t) => {
  const script = 'ls / | tr "\\n" " "; pwd; ls /.. | wc -l; cat /proc/kcore | wc -c; ls /sys/firmware | wc -l'
  const pivoted = await run(programs.keelson, mighty(script), [])
  const moved = await run(programs.keelson, mighty(script), ['--no-pivot'])
  t.is(moved.code, 0, moved.stderr)
  t.is(moved.stdout, pivoted.stdout)
  if (programs.runc) t.is(moved.stdout, (await run(programs.runc, mighty(script), ['--no-pivot'])).stdout)
})

/** A user namespace may mount procfs and sysfs only where a whole one is visible already: not the host's, then. */
const remount = (place: string) =>
  `unshare -r -m -p -n -f sh -c 'for type in proc sysfs; do
    mount -t $type $type ${place} 2>/dev/null && echo mounted || echo refused; done'`

rootedTest(
  'opencontainers/runc#1962: no unmasked procfs or sysfs can be reached with --no-pivot',
  async (t) => {
    const outcome = await run(programs.keelson, mighty(remount('/tmp')), ['--no-pivot'])
    t.deepEqual([outcome.code, outcome.stdout], [0, 'refused\nrefused\n'], outcome.stderr)
    const there = execFileSync('/bin/busybox', ['sh', '-c', remount('/mnt')], { encoding: 'utf8' })
    t.is(there, 'mounted\nmounted\n', 'and where they are visible it can be done')
  },
)

rootedTest('a chroot out of the container leads back into it', async (t) => {
  const script = `mkdir -p /tmp/in && cat > /tmp/out <<'END'
cd /
mkdir -p /tmp/in
chroot /tmp/in /bin/true 2>/dev/null
for i in 1 2 3 4 5 6 7 8; do cd ..; done
ls | tr '\\n' ' '
END
sh /tmp/out; unshare -m sh /tmp/out`
  const outcome = await run(programs.keelson, mighty(script), ['--no-pivot'])
  t.is(outcome.code, 0, outcome.stderr)
  const inside = 'bin dev etc proc root sys tmp '
  t.is(outcome.stdout, inside + inside)
})
