/** Hosts that allow no programs in memory (vm.memfd_noexec = 2, which a process namespace can have for itself). */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { runProgram } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'
import { skipWithout } from '../support/skip.ts'

const { programs, nextId, busyboxTest } = ociTests('noexec')
const setting = '/proc/sys/vm/memfd_noexec'
const noexecTest = skipWithout(`${setting} (Linux 6.3)`, existsSync(setting), busyboxTest)

/** In a process namespace of its own, which ends with it and all that it started. */
function strict(script: string) {
  const { path, stateRoot } = programs.keelson
  const line = `echo 2 > ${setting}; oci() { "${path}" --root "${stateRoot}" "$@"; }; ${script}`
  const flags = ['--pid', '--fork', '--kill-child', '--mount-proc']
  return runProgram('unshare', [...flags, 'sh', '-c', line], {
    env: { PATH: `/usr/sbin:/sbin:${process.env['PATH']}` },
  })
}

noexecTest('run, with hooks whose input is longer than a pipe', async (t) => {
  const spec = busyboxSpec(['/bin/echo', 'ran'])
  using bundle = makeBundle(spec)
  const seen = join(bundle.path, 'seen')
  const count = { path: '/bin/sh', args: ['sh', '-c', `wc -c > ${seen}`] }
  const annotations = { long: 'x'.repeat(100_000) }
  const hooked = { ...spec, annotations, hooks: { createRuntime: [count] } }
  writeFileSync(join(bundle.path, 'config.json'), JSON.stringify(hooked))
  const { code, stdout, stderr } = await strict(`oci run --bundle ${bundle.path} ${nextId()}`)
  t.true(Number(readFileSync(seen, 'utf8')) > 100_000)
  t.deepEqual({ code, stdout, stderr }, { code: 0, stdout: 'ran\n', stderr: '' })
})

noexecTest(
  'CVE-2019-5736: the file that runs then is nobody’s to write, also when it has ended',
  async (t) => {
    using bundle = makeBundle(busyboxSpec(['/bin/sleep', '1000']))
    const pidFile = join(bundle.path, 'pid')
    const id = nextId()
    const attack = [
      `oci run --bundle ${bundle.path} --pid-file ${pidFile} ${id} & until test -s ${pidFile}; do sleep 0.05; done`,
      `init=$(awk '/^PPid:/{print $2}' /proc/$(cat ${pidFile})/status); exec 3</proc/$init/exe`,
      `cat /proc/$init/comm; oci kill ${id} KILL; wait; : >> /proc/self/fd/3`,
    ].join('\n')
    const { stdout, stderr } = await strict(attack)
    t.is(stdout, 'keelson-init\n')
    t.regex(stderr, /Read-only file system/)
  },
)
