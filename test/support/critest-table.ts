import { criToolsVersion } from '../../scripts/cri-tools.mjs'
import type { Spec } from './critest-run.ts'

/** docs/reference/critest.md: written from a run, and read to know what has to pass. */
export function renderTable(specs: readonly Spec[], overWebSocket: readonly Spec[]): string {
  return `# critest

Specs of critest ${criToolsVersion} (kubernetes-sigs/cri-tools) against \`keelson cri\`, written by the run itself:
\`KEELSON_CRITEST_TABLE=write npx ava test/e2e/critest.test.ts\`. The same test fails when a spec that passed here fails.
Images are rebuilt from Debian packages under the names that critest asks for; AppArmor, SELinux and NRI are not on the
machine or not part of keelson.

${summary(specs)}

${rows(specs)}

## Streaming over WebSockets

\`-websocket-exec -websocket-attach -websocket-portforward\`: ${summary(overWebSocket)}

${rows(overWebSocket)}
`
}

/** Names of the specs that passed when the table was written: of critest as it is, and over WebSockets. */
export function passedIn(table: string): { plain: string[]; overWebSocket: string[] } {
  const [plain = '', overWebSocket = ''] = table.split('\n## ')
  return { plain: passedRows(plain), overWebSocket: passedRows(overWebSocket) }
}

const passedRows = (text: string) =>
  [...text.matchAll(/^\| (.+?) \| passed \|/gm)].map(([, name = '']) => name)

function summary(specs: readonly Spec[]): string {
  const count = (result: Spec['result']) => specs.filter((spec) => spec.result === result).length
  return `${specs.length} specs: ${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped.`
}

function rows(specs: readonly Spec[]): string {
  const lines = specs.map(({ name, result, reason }) => `| ${name} | ${result} | ${cell(reason)} |`)
  return ['| spec | result | why |', '| --- | --- | --- |', ...lines].join('\n')
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').slice(0, 300)
