/** A name that comes twice: the first keeps it, the second finds it, and what differs is another attempt's. */
import test from 'ava'
import { settle } from '../support/fake-clock.ts'
import { Bench, call } from '../support/pod-bench.ts'
import { containerConfig, createRequest, podConfig, runRequest } from '../support/pod-requests.ts'

const metadata = (attempt: number) => ({ name: 'web', uid: 'uid-web', namespace: 'default', attempt })

test('two sandboxes of one name, uid and attempt with other configurations are the first, until it is stopped', async (t) => {
  await using bench = await Bench.open()
  const { runtime } = bench
  const run = async (hostname: string, attempt = 0) =>
    (
      await runtime.runPodSandbox(
        runRequest(podConfig('web', { hostname, metadata: metadata(attempt) })),
        call,
      )
    ).podSandboxId
  const hostnameOf = (id: string) => bench.host.pins.pinned.get(id)?.uts
  const [first, second] = await Promise.all([run('one'), run('two')])
  t.is(first, second)
  t.deepEqual(hostnameOf(first), { hostname: 'one' })
  t.is(await run('three'), first)
  const next = await run('three', 1)
  t.not(next, first)
  t.deepEqual(hostnameOf(next), { hostname: 'three' })
  await runtime.stopPodSandbox({ podSandboxId: first }, call)
  const again = await run('four')
  t.false([first, next].includes(again), 'a stopped one has given its name back')
  t.deepEqual(hostnameOf(again), { hostname: 'four' })
  const { items } = await runtime.listPodSandbox({ filter: undefined }, call)
  t.is(items.length, 3)
})

test('two containers of one name and attempt are the first, also when the second wants something else', async (t) => {
  await using bench = await Bench.open()
  const { runtime, host } = bench
  const pod = await bench.pod()
  const other = await bench.pod('other')
  await bench.container(pod) // the image is there from now on
  const create = async (command: string, attempt = 0, podId = pod) => {
    const config = containerConfig('app', { metadata: { name: 'app', attempt }, command: [command] })
    return (await runtime.createContainer(createRequest(podId, config), call)).containerId
  }
  const both = Promise.all([create('/one'), create('/two')])
  await settle()
  const [first, second] = await both
  t.is(first, second)
  t.is(await create('/three'), first)
  const known = [first, await create('/three', 1), await create('/four', 0, other)]
  t.is(new Set(known).size, 3, 'another attempt, and the same name in another pod, are others')
  for (const id of known) t.true(host.images.prepared.has(id))
  await runtime.startContainer({ containerId: first }, call)
  t.is(host.runtime.requests[0]?.spec.process?.args?.[0], '/one')
  await runtime.removeContainer({ containerId: first }, call)
  t.not(await create('/two'), first, 'a removed one has given its name back')
})

test('a log path stays in the directory of its pod’s logs', async (t) => {
  await using bench = await Bench.open()
  const { runtime } = bench
  const { podSandboxId } = await runtime.runPodSandbox(
    runRequest(podConfig('web', { logDirectory: '/var/log/pods/web' })),
    call,
  )
  await bench.container(podSandboxId)
  const create = async (name: string, logPath: string) => {
    const config = containerConfig(name, { logPath })
    const { containerId } = await runtime.createContainer(createRequest(podSandboxId, config), call)
    const { status } = await runtime.containerStatus({ containerId, verbose: false }, call)
    return status?.logPath
  }
  t.is(await create('a', 'a/0.log'), '/var/log/pods/web/a/0.log')
  t.is(await create('b', '/b//./x/../0.log'), '/var/log/pods/web/b/0.log')
  for (const wrong of ['../other/0.log', 'a/../../0.log', '..', '.', 'a/..'])
    await t.throwsAsync(
      create('c', wrong),
      { message: /log_path .* leads out of the pod's log directory/ },
      wrong,
    )
})
