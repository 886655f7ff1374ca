/** Labels of security modules on a host that may have none: refused by name, before anything is made, beside runc. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/base/index.ts'
import { readHostFacts } from '../../src/oci/host-facts.ts'
import { createRuntime } from '../../src/oci/index.ts'
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { createRequest } from '../support/contained.ts'
import { containerStage, plainSpec } from '../support/container.ts'
import { plainHost } from '../support/host-facts.ts'
import { ociTests } from '../support/oci-tests.ts'
import { rootTest } from '../support/root.ts'

const { programs, busyboxTest } = ociTests('label')

const host = readHostFacts()

/** runc of Debian 12 knows versions up to 1.0.2. */
const labelled = (label: object, mountLabel?: string): Spec =>
  busyboxSpec(['/bin/echo', 'ran'], (spec) => ({
    ...spec,
    ociVersion: '1.0.2',
    process: { cwd: '/', ...spec.process, ...label },
    linux: { ...spec.linux, ...(mountLabel ? { mountLabel } : {}) },
  }))

const refusals: [what: string, isThere: boolean, spec: Spec, named: RegExp][] = [
  [
    'an AppArmor profile',
    host.appArmor !== undefined,
    labelled({ apparmorProfile: 'no-such-profile' }),
    /process\.apparmorProfile.*"no-such-profile".*AppArmor is not supported/,
  ],
  [
    'an SELinux label',
    host.seLinux,
    labelled({ selinuxLabel: 'system_u:system_r:container_t:s0' }),
    /process\.selinuxLabel.*SELinux is not supported/,
  ],
  [
    'an SELinux mount label',
    host.seLinux,
    labelled({}, 'system_u:object_r:container_file_t:s0'),
    /linux\.mountLabel.*SELinux is not supported/,
  ],
]

for (const [what, isThere, spec, named] of refusals)
  busyboxTest(`${what} is refused by name where the module is absent, as by runc`, async (t) => {
    if (isThere) return void t.log('SKIPPED: this host has the module, so nothing is refused')
    using bundle = makeBundle(spec)
    const id = `kt-label-${process.pid}-${what.length}`
    const { code, stdout, stderr } = await programs.keelson.run(['run', '--bundle', bundle.path, id])
    t.is(code, 1)
    t.is(stdout, '')
    t.regex(stderr, named)
    t.false(existsSync(join(programs.keelson.stateRoot, id)))
    if (!programs.runc)
      return void t.log('SKIPPED in part: runc is not installed, so nothing is compared with it')
    const theirs = await programs.runc.run(['run', '--bundle', bundle.path, id])
    t.not(theirs.code, 0, theirs.stderr)
    await programs.runc.run(['delete', '--force', id])
  })

busyboxTest('unconfined asks for nothing, so a host without AppArmor can give it', async (t) => {
  using bundle = makeBundle(labelled({ apparmorProfile: 'unconfined' }))
  const { stdout, stderr } = await programs.keelson.run([
    'run',
    '--bundle',
    bundle.path,
    `kt-unconf-${process.pid}`,
  ])
  t.is(stdout, 'ran\n', stderr)
})

busyboxTest('Intel RDT is refused by name where there is none, before anything is made', async (t) => {
  if (host.resctrl) return void t.log('SKIPPED: this host has resctrl')
  const spec = labelled({})
  using bundle = makeBundle({ ...spec, linux: { ...spec.linux, intelRdt: { closID: 'gold' } } })
  const id = `kt-rdt-${process.pid}`
  const { code, stderr } = await programs.keelson.run(['create', '--bundle', bundle.path, id])
  t.is(code, 1)
  t.regex(stderr, /linux\.intelRdt.*no resctrl/)
  t.false(existsSync(join(programs.keelson.stateRoot, id, 'state.json')))
})

rootTest(
  'a label that the kernel does not take fails the creation: no program runs without the one it was to have',
  async (t) => {
    if (host.appArmor !== undefined || host.seLinux)
      return void t.log('SKIPPED: this host has a module that may take it')
    await using stage = await containerStage('label')
    // As if AppArmor were there: the write goes to the file of the kernel, which has nobody to give it to.
    const facts = { ...plainHost, appArmor: '' }
    const stateRoot = join(stage.folder, 'labelled')
    const runtime = createRuntime({ stateRoot, instance: stage.instance, clock: systemClock, host: facts })
    const spec = plainSpec(['true'], ({ process }) => {
      process.apparmorProfile = 'strict'
    })
    await t.throwsAsync(runtime.create(createRequest(stage, 'labelled', spec)), {
      message: /writeAttribute: write thread-self\/attr\/exec: EINVAL/,
    })
    t.is(await runtime.find('labelled'), undefined)
    await runtime[Symbol.asyncDispose]()
  },
)
