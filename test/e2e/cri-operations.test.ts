/** `keelson cri` for who runs it: configuration file, service manager, log lines, metrics. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CriEndpoint, endpointTest } from '../support/cri-endpoint.ts'
import { serialRootTest } from '../support/root.ts'
import { socketPeers } from '../support/socket-peer.ts'

endpointTest(
  'metrics count what was done, and logs are lines of JSON',
  async (t, endpoint) => {
    const podId = await endpoint.pod()
    await endpoint.run(podId, 'stays')
    await endpoint.exited(await endpoint.run(podId, 'ends', { command: ['true'] }))
    await t.throwsAsync(endpoint.status('none'))
    const { code, stdout, stderr } = await endpoint.network.run('/bin/busybox', [
      ...['wget', '-q', '-O', '-', 'http://127.0.0.1:9180/metrics'],
    ])
    t.is(code, 0, stderr)
    const metrics = new Map(
      stdout.split('\n').flatMap((line) => {
        const [, name = '', value] = /^([^#].*) (\S+)$/.exec(line) ?? []
        return name === '' ? [] : [[name, Number(value)] as const]
      }),
    )
    for (const [name, value] of [
      ['keelson_cri_requests_total{method="RunPodSandbox",code="OK"}', 1],
      ['keelson_cri_requests_total{method="StartContainer",code="OK"}', 2],
      ['keelson_cri_requests_total{method="ContainerStatus",code="NOT_FOUND"}', 1],
      ['keelson_cri_request_seconds_count{method="CreateContainer"}', 2],
      ['keelson_pods{state="ready"}', 1],
      ['keelson_containers{state="running"}', 1],
      ['keelson_containers{state="exited"}', 1],
      ['keelson_start_phase_seconds_count{phase="namespaces"}', 1],
      ['keelson_start_phase_seconds_count{phase="start"}', 2],
      ['keelson_images', 1],
    ] as const)
      t.is(metrics.get(name), value, name)
    for (const name of ['process_resident_memory_bytes', 'process_open_fds', 'keelson_image_store_bytes'])
      t.true((metrics.get(name) ?? 0) > 0, name)
    const lines = (await readFile(endpoint.logPath, 'utf8')).trim().split('\n')
    const calls = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'call')
    t.like(
      calls.find(({ method }) => method === 'RunPodSandbox'),
      { level: 'debug', part: 'cri', code: 'OK' },
    )
    await endpoint.removePod(podId)
  },
  { settings: { metrics: { address: '127.0.0.1:9180' }, log: { level: 'debug' } } },
)

endpointTest(
  'the socket is for whom the configuration says, and its limit of processes holds',
  async (t, endpoint) => {
    const { mode, gid } = await stat(endpoint.socketPath)
    t.deepEqual([mode & 0o777, gid], [0o660, 1])
    const podId = await endpoint.pod()
    const command = ['sh', '-c', 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; exit 0']
    const status = await endpoint.exited(await endpoint.run(podId, 'forks', { command }))
    t.not(status.exitCode, 0)
    await endpoint.removePod(podId)
  },
  { settings: { socket: { mode: '0660', group: 'daemon' }, containers: { pidsMax: 5 } } },
)

serialRootTest('the service manager hears of readiness and of the end', async (t) => {
  await using endpoint = await CriEndpoint.create('notify')
  await using manager = await socketPeers(endpoint.directory)('datagrams', join(endpoint.directory, 'notify'))
  await endpoint.start({ NOTIFY_SOCKET: manager.path })
  t.is(await manager.next(), 'READY=1')
  await endpoint.stop()
  t.is(await manager.next(), 'STOPPING=1')
})
