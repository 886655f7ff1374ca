/** Where the machine gives less than is needed, or the configuration has more than is usual. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { runProgram } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'
import { refused, tracesOf } from '../support/refused.ts'

const { programs, nextId, busyboxTest } = ociTests('short')
const keelson = (...args: string[]) => programs.keelson.run(args)
const nothingLeft = (t: ExecutionContext, id: string) => t.deepEqual(tracesOf(programs.keelson, id), [])

function program(...args: string[]): Spec {
  return busyboxSpec(args, (spec) => ({ ...spec, root: { path: 'rootfs' } }))
}

busyboxTest('a full disk below the state root: told before anything is done', async (t) => {
  using bundle = makeBundle(program('/bin/sleep', '100'))
  const root = join(bundle.path, 'root')
  const id = nextId()
  mkdirSync(root)
  const script = `
    mount -t tmpfs -o size=64k none ${root} || exit 9
    keelson() { ${programs.keelson.path} --root ${root} "$@" 2>&1; echo "code $?"; }
    fill() { dd if=/dev/zero of=${root}/.fill bs=4k 2>/dev/null; true; }
    keelson create --bundle ${bundle.path} ${id}
    fill
    keelson start ${id}
    keelson update --pids-limit 77 ${id}
    cat /sys/fs/cgroup/pids/${id}/pids.max /sys/fs/cgroup/pids/*/${id}/pids.max 2>/dev/null
    keelson create --bundle ${bundle.path} ${id}-2
    ls ${root}
    keelson state ${id} | grep status
    keelson delete --force ${id}`
  const { stdout } = spawnSync('unshare', ['--mount', 'sh', '-c', script], { encoding: 'utf8' })
  const full = 'ENOSPC: no space left on device\ncode 1'
  t.regex(stdout, new RegExp(`^code 0\nkeelson-oci: start: write [^\n]*/started: ${full}\n`), stdout)
  t.regex(stdout, new RegExp(`\nkeelson-oci: update: write [^\n]*/limits.json: ${full}\n`))
  t.notRegex(stdout, /\b77\b/)
  t.regex(stdout, new RegExp(`\nkeelson-oci: create: [^\n]*${full}\n${id}\n`))
  t.regex(stdout, /"status": "created"/)
  t.regex(stdout, /code 0\n$/)
  nothingLeft(t, id)
  nothingLeft(t, `${id}-2`)
})

busyboxTest('few open files, no file sizes, and standard streams that are closed', async (t) => {
  using bundle = makeBundle(
    program('/bin/sh', '-c', 'echo out; ls -l /proc/$$/fd 2>&1 | tee /fds >/dev/null; echo err >&2'),
  )
  const limited = (limit: string, redirect = '') => {
    const words = `${programs.keelson.path} --root ${programs.keelson.stateRoot} run --bundle ${bundle.path} ${nextId()}`
    return runProgram('sh', ['-c', `${limit}; exec ${words} ${redirect}`])
  }
  for (const files of [3, 10, 16, 20, 23])
    refused(t, await limited(`ulimit -n ${files}`), /too few open files are allowed \(raise the hard limit/)
  for (const files of [24, 28, 32])
    refused(t, await limited(`ulimit -n ${files}`), /EMFILE: too many open files/)
  refused(t, await limited('ulimit -f 0'), /EFBIG: file too large/)
  for (const [redirect, stdout, stderr] of [
    ['0<&-', 'out\n', 'err\n'],
    ['1>&-', '', 'err\n'],
    ['2>&-', 'out\n', ''],
    ['0<&- 1>&- 2>&-', '', ''],
  ] as const) {
    t.like(await limited('true', redirect), { code: 0, stdout, stderr }, redirect)
    const open = readFileSync(join(bundle.rootfs, 'fds'), 'utf8')
    for (const [, fd = ''] of redirect.matchAll(/(\d)[<>]&-/g))
      t.regex(open, new RegExp(` ${fd} -> /dev/null\n`), redirect)
    t.notRegex(open, /keelson|state/)
  }
})

busyboxTest('more words and variables than usual, and more than the kernel takes', async (t) => {
  const many = Array.from({ length: 20_000 }, (_, index) => `V${index}=x`)
  const spec = program('/bin/sh', '-c', 'echo $# $(env | grep -c ^V)', ...many)
  const process = {
    ...spec.process,
    cwd: '/',
    env: ['PATH=/bin', ...many],
    user: { uid: 0, gid: 0, additionalGids: many.map((_, gid) => gid) },
  }
  using bundle = makeBundle({ ...spec, process })
  t.like(await keelson('run', '--bundle', bundle.path, nextId()), { code: 0, stdout: '19999 20000\n' })
  using huge = makeBundle(program('/bin/true', ...Array.from({ length: 25 }, () => 'a'.repeat(100_000))))
  refused(
    t,
    await keelson('run', '--bundle', huge.path, nextId()),
    /exec: "\/bin\/true": argument list too long/,
  )
})
