import { existsSync } from 'node:fs'
import {
  ApiClient,
  createHttpTransport,
  findCondition,
  nameOf,
  readKubeconfig,
  resources,
} from '../../api/index.ts'
import { asKeelsonError } from '../../base/index.ts'
import { type Config, configOptions, resolveConfig } from '../config.ts'
import { command } from '../context.ts'
import { serverUrl } from '../control-plane.ts'
import { columns } from '../help.ts'
import { pathsOf } from '../paths.ts'
import { findProcess } from '../process-file.ts'

interface Report {
  server: { pid: number | undefined; url: string }
  node: { pid: number | undefined }
  kubeconfig: string | undefined
  cluster: { nodes: Record<string, string>; pods: Record<string, number> } | { error: string } | undefined
}

/** Exit code 0 when both processes run and every node is ready, 1 otherwise. */
export default command({
  name: 'status',
  summary: 'what runs, and how it feels',
  options: { ...configOptions, json: { type: 'boolean', help: 'one JSON object' } },
  run: async ({ print, isRoot }, flags) => {
    const config = await resolveConfig(flags)
    const report = await examine(config)
    if (flags.json) print(JSON.stringify(report, undefined, 2))
    else for (const line of describe(report, isRoot)) print(line)
    return isHealthy(report) ? 0 : 1
  },
})

async function examine(config: Config): Promise<Report> {
  const { adminKubeconfig } = pathsOf(config)
  const server = await findProcess(config.runDirectory, 'server')
  const node = await findProcess(config.runDirectory, 'node')
  return {
    server: { pid: server?.pid, url: serverUrl(config) },
    node: { pid: node?.pid },
    kubeconfig: existsSync(adminKubeconfig) ? adminKubeconfig : undefined,
    cluster: server ? await askCluster(adminKubeconfig) : undefined,
  }
}

async function askCluster(kubeconfig: string): Promise<Report['cluster']> {
  try {
    const { transport } = await readKubeconfig(kubeconfig)
    await using connection = createHttpTransport(transport)
    const client = new ApiClient(connection)
    const signal = AbortSignal.timeout(5000)
    const nodes = await client.list(resources.nodes, { signal })
    const pods = await client.list(resources.pods, { signal })
    const phases: Record<string, number> = {}
    for (const { status } of pods.items)
      phases[status?.phase ?? 'Unknown'] = (phases[status?.phase ?? 'Unknown'] ?? 0) + 1
    return {
      nodes: Object.fromEntries(
        nodes.items.map((node) => [
          nameOf(node),
          findCondition(node.status?.conditions, 'Ready')?.status === 'True' ? 'Ready' : 'NotReady',
        ]),
      ),
      pods: phases,
    }
  } catch (error) {
    return { error: asKeelsonError(error).message }
  }
}

function isHealthy({ server, node, cluster }: Report): boolean {
  const ready =
    cluster && 'nodes' in cluster && Object.values(cluster.nodes).every((state) => state === 'Ready')
  return server.pid !== undefined && node.pid !== undefined && ready === true
}

function describe(report: Report, isRoot: boolean): string[] {
  const process = (pid: number | undefined) => (pid === undefined ? 'not running' : `process ${pid}`)
  const { server, node } = report
  const rows = [
    ['control plane', server.pid === undefined ? 'not running' : `${process(server.pid)}, ${server.url}`],
    ['node', process(node.pid)],
  ]
  const { cluster } = report
  if (cluster && 'error' in cluster) rows.push(['cluster', `does not answer: ${cluster.error}`])
  if (cluster && 'nodes' in cluster) {
    for (const [name, state] of Object.entries(cluster.nodes)) rows.push([`  ${name}`, state])
    const pods = Object.entries(cluster.pods).map(([phase, count]) => `${count} ${phase}`)
    rows.push(['pods', pods.join(', ') || 'none'])
  }
  if (report.kubeconfig) rows.push(['kubeconfig', report.kubeconfig])
  if (server.pid === undefined || node.pid === undefined)
    rows.push(['', isRoot ? 'start it with `keelson up -d`' : 'start it with `sudo keelson up -d`'])
  return columns(rows)
}
