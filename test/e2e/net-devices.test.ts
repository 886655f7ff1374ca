/** linux.netDevices: a device of the runtime's network namespace becomes the container's, with its addresses. */
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { type Outcome, runProgram } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'

const { programs, nextId, busyboxTest } = ociTests('netdev')

const setUp = [
  'set -e',
  'ip link set lo up',
  'ip link add moves type veth peer name stays',
  'ip link set moves mtu 1400 address 02:00:00:00:00:07',
  'ip addr add 10.9.8.7/24 brd 10.9.8.255 dev moves',
  'ip addr add fd00:9::7/64 dev moves nodad',
  'ip addr add 169.254.9.9/16 scope link dev moves',
  'ip link set stays up; ip link set moves up',
].join('\n')

/** Runs the container from a network namespace of its own, which goes with its last process: the host's is not touched. */
async function runThere(spec: Spec, before = setUp, after = ''): Promise<Outcome> {
  using bundle = makeBundle(spec)
  const { path, stateRoot } = programs.keelson
  const id = nextId()
  const script = `${before}\n${path} --root ${stateRoot} run --bundle ${bundle.path} ${id} || echo "code $?"\n${after}`
  const environment = { PATH: `/usr/sbin:/sbin:${process.env['PATH'] ?? ''}` }
  return await runProgram('unshare', ['--net', 'sh', '-c', script], { env: environment })
}

function withDevices(script: string, netDevices: Record<string, { name?: string }>): Spec {
  return busyboxSpec(['/bin/sh', '-c', script], (spec) => ({ ...spec, linux: { ...spec.linux, netDevices } }))
}

busyboxTest(
  'it moves, renamed, with MTU, hardware address and permanent global addresses, and is up',
  async (t) => {
    const { stdout, stderr } = await runThere(
      withDevices('busybox ip -o addr show dev inner; busybox ip link show dev inner', {
        moves: { name: 'inner' },
      }),
      setUp,
      'ip -o link show; true',
    )
    t.regex(stdout, /inet 10\.9\.8\.7\/24 brd 10\.9\.8\.255/, stderr)
    t.regex(stdout, /inet6 fd00:9::7\/64/)
    t.notRegex(stdout, /169\.254\.9\.9/, 'only addresses of global scope')
    t.regex(stdout, /mtu 1400/)
    t.regex(stdout, /02:00:00:00:00:07/)
    t.regex(stdout, /<[A-Z,_]*UP[A-Z,_]*>/)
    t.notRegex(stdout, / moves[@:]/, 'and is gone from where it was')
  },
)

busyboxTest(
  'a template lets the kernel pick the number; settings of the network come after the device',
  async (t) => {
    const spec = withDevices('busybox ip -o link; cat /proc/sys/net/ipv4/conf/moves/forwarding', {
      moves: {},
      stays: { name: 'end%d' },
    })
    const { stdout, stderr } = await runThere({
      ...spec,
      linux: { ...spec.linux, sysctl: { 'net.ipv4.conf.moves.forwarding': '1' } },
    })
    t.regex(stdout, / moves@end0/, stderr)
    t.regex(stdout, / end0@moves/)
    t.regex(stdout, /\n1\n/)
  },
)

busyboxTest(
  'a name that the container has already, and a device that is not there, are refused',
  async (t) => {
    const taken = await runThere(
      withDevices('true', { moves: { name: 'lo' } }),
      setUp,
      'ip -o link show dev moves',
    )
    t.regex(taken.stderr, /moveDevice[^\n]* lo: EEXIST/)
    t.regex(taken.stdout, / moves@stays/, 'it stayed')
    const missing = await runThere(withDevices('true', { ghost: {} }))
    t.regex(missing.stderr, /moveDevice[^\n]* ghost: ENODEV/)
    t.regex(missing.stdout, /code 1/)
  },
)

busyboxTest('it is refused without a network namespace to move to', async (t) => {
  const spec = withDevices('true', { moves: {} })
  const namespaces = spec.linux?.namespaces?.filter(({ type }) => type !== 'network')
  const { stderr } = await runThere({
    ...spec,
    linux: { ...spec.linux, ...(namespaces ? { namespaces } : {}) },
  })
  t.regex(stderr, /linux\.netDevices/)
})
