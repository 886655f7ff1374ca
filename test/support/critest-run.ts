import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { findCriTool } from '../../scripts/cri-tools.mjs'
import type { CriHost } from './critest-host.ts'

/** One spec of critest and how it ended. */
export interface Spec {
  /** `Container > runtime should support log > starting container with log [Conformance]` */
  readonly name: string
  readonly result: 'passed' | 'failed' | 'skipped'
  /** Why it failed or was skipped, on one line. */
  readonly reason: string
}

/** The part of ginkgo's JSON report that we read. */
interface Report {
  SpecReports: {
    LeafNodeType: string
    LeafNodeText: string
    ContainerHierarchyTexts: string[] | null
    State: string
    Failure?: { Message: string }
  }[]
}

let runs = 0

/** Runs critest on the node; specs that `words` leave out are not in the answer. */
export async function runCritest({ host, endpoint }: CriHost, words: readonly string[]): Promise<Spec[]> {
  const critest = findCriTool('critest') ?? 'critest'
  const report = join(host.folder, `report-${runs++}.json`)
  const result = await host.run(
    critest,
    ['-runtime-endpoint', endpoint, `-ginkgo.json-report=${report}`, ...words],
    // It starts the ginkgo that lies beside it to run specs in parallel, which keeps a configuration at home.
    { timeoutMs: 600_000, env: { PATH: `${dirname(critest)}:${host.env['PATH']}`, HOME: host.folder } },
  )
  const said = `${result.stdout}${result.stderr}`
  const text = await readFile(report, 'utf8').catch(() => {
    throw new Error(`critest left no report: ${said.slice(-2000)}`)
  })
  return (JSON.parse(text) as Report[]).flatMap(specsOf).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function specsOf({ SpecReports: reports }: Report): Spec[] {
  return reports
    .filter((one) => one.LeafNodeType === 'It' && !(one.State === 'skipped' && !one.Failure))
    .map((one) => {
      const groups = (one.ContainerHierarchyTexts ?? []).map((text) => text.replace(/^\[k8s\.io\] /, ''))
      const result = one.State === 'passed' || one.State === 'skipped' ? one.State : 'failed'
      return {
        name: [...groups, one.LeafNodeText].join(' > '),
        result,
        reason: reasonOf(one.Failure?.Message),
      }
    })
}

/** An error of gRPC says more than the sentence of the spec that ran into it. */
function reasonOf(message = ''): string {
  const [, code, description] = /rpc error: code = (\w+) desc = (.*)/.exec(message) ?? []
  return code ? `${code}: ${description}` : message.trim().replaceAll(/\s*\n\s*/g, ' ')
}
