import { readFileSync } from 'node:fs'

const path = new URL('../../docs/guides/oci-runtime.md', import.meta.url)

/**
 * The configuration that the guide tells its readers to write, with this runtime's path: what the tests of an engine
 * start it with is what its users read.
 */
export function guideSnippet(heading: string, runtime: string): string {
  const section = readFileSync(path, 'utf8').split(`\n## ${heading}\n`)[1]?.split('\n## ')[0]
  const snippet = section && /^```\w+\n([\s\S]*?)^```$/m.exec(section)?.[1]
  if (!snippet) throw new Error(`the guide has no configuration under "${heading}"`)
  return snippet.replaceAll('/usr/local/bin/keelson-oci', runtime)
}
