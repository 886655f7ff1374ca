/** What the command line has beyond runc's: crun's extras, and the dry run. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { ociTests } from '../support/oci-tests.ts'

const { programs, busyboxTest } = ociTests('crun')

const keelson = (...args: string[]) => programs.keelson.run(args)
const sleeper = (change: (spec: Spec) => Spec = (one) => one) => busyboxSpec(['/bin/sleep', '100'], change)
const id = (name: string) => `kt-crun-${process.pid}-${name}`

busyboxTest('--config: the configuration from another file than the bundle’s', async (t) => {
  using bundle = makeBundle('{}')
  const file = join(bundle.path, 'other.json')
  writeFileSync(file, JSON.stringify(busyboxSpec(['/bin/echo', 'from', 'there'])))
  t.like(await keelson('run', '--bundle', bundle.path, '--config', file, id('config')), {
    code: 0,
    stdout: 'from there\n',
  })
})

busyboxTest('kill and delete --regex: those whose id matches, and no others', async (t) => {
  using bundle = makeBundle(sleeper())
  const names = ['web-1', 'web-2', 'db-1'].map(id)
  t.teardown(() => keelson('delete', '--force', '--regex', `^kt-crun-${process.pid}-(web|db)`))
  for (const name of names) t.is((await keelson('run', '--detach', '--bundle', bundle.path, name)).code, 0)
  t.like(await keelson('kill', '--regex', `${process.pid}-web-`, 'KILL'), { code: 0, stderr: '' })
  t.regex((await keelson('state', names[2] ?? '')).stdout, /"running"/)
  t.is((await keelson('delete', '--regex', '--force', `${process.pid}-web-[12]$`)).code, 0)
  const left = (await keelson('list', '-q')).stdout.split('\n').filter((one) => names.includes(one))
  t.deepEqual(left, names.slice(2))
  t.like(await keelson('delete', '--regex', 'no-such-container'), { code: 0 })
  t.regex(
    (await keelson('kill', '--regex', '(')).stderr,
    /^keelson-oci: kill: Invalid regular expression[^\n]+\n$/,
  )
})

busyboxTest('--cgroup-manager disabled: no cgroup is made, limits are refused', async (t) => {
  using bundle = makeBundle(sleeper())
  using limited = makeBundle(
    sleeper((spec) => ({ ...spec, linux: { ...spec.linux, resources: { pids: { limit: 5 } } } })),
  )
  const name = id('nocgroup')
  t.teardown(() => keelson('delete', '--force', name))
  const disabled = (...args: string[]) => keelson('--cgroup-manager', 'disabled', ...args)
  t.like(await disabled('run', '--detach', '--bundle', bundle.path, name), { code: 0, stderr: '' })
  const { pid } = JSON.parse((await keelson('state', name)).stdout) as { pid: number }
  t.is(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), readFileSync('/proc/self/cgroup', 'utf8'), 'the caller’s')
  t.false(readdirSync('/sys/fs/cgroup').some((one) => existsSync(join('/sys/fs/cgroup', one, name))))
  t.deepEqual(JSON.parse((await keelson('ps', '--format', 'json', name)).stdout), [pid])
  t.like(await keelson('exec', name, '/bin/true'), { code: 0 })
  const refused = await disabled('run', '--bundle', limited.path, id('limited'))
  t.is(refused.code, 1)
  t.regex(refused.stderr, /linux\.resources\.pids needs a cgroup/)
})

busyboxTest('--dry-run prints the plan and makes nothing; --log-level', async (t) => {
  using bundle = makeBundle(sleeper())
  const name = id('dry')
  for (const verb of ['create', 'run']) {
    const { code, stdout, stderr } = await keelson(verb, '--dry-run', '--bundle', bundle.path, name)
    t.is(code, 0, stderr)
    t.regex(stdout, /^parent: keelson-init\n/)
    t.regex(stdout, /\n +\d+ {2}signal +joined ──▶ parent\n/)
    t.regex(stdout, /\n +\d+ {2}execute +args=\["\/bin\/sleep","100"\]/)
    t.false(existsSync(join(programs.keelson.stateRoot, name)))
  }
  t.teardown(() => keelson('delete', '--force', name))
  const quiet = await keelson('--log-level', 'debug', 'run', '--detach', '--bundle', bundle.path, name)
  t.regex(quiet.stderr, / debug created id=/)
  const exec = await keelson('exec', '--dry-run', name, '/bin/none')
  t.is(exec.code, 0, exec.stderr)
  t.regex(exec.stdout, /enterProcess +pidfd=#0\[first process of the container\]/)
})
