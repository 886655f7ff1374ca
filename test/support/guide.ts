import { readFileSync } from 'node:fs'

/**
 * The configuration that a guide tells its readers to write: what tests start things with is what readers read. Paths
 * of the reader's machine are replaced by those of the test.
 */
export function guideSnippet(guide: string, heading: string, paths: Record<string, string>): string {
  const section = sectionOf(guide, heading)
  const snippet = /^```\w+\n([\s\S]*?)^```$/m.exec(section)?.[1]
  if (snippet === undefined) throw new Error(`${guide}.md has no configuration under "${heading}"`)
  return withPaths(snippet, paths)
}

/** All `sh` blocks of a guide as one script, in their order. */
export function guideScript(guide: string, paths: Record<string, string>): string {
  const blocks = [...textOf(guide).matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  return withPaths(blocks.join('\n'), paths)
}

function sectionOf(guide: string, heading: string): string {
  return textOf(guide).split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
}

function textOf(guide: string): string {
  return readFileSync(new URL(`../../docs/guides/${guide}.md`, import.meta.url), 'utf8')
}

/** In one pass: what takes a path's place is not looked at again. */
function withPaths(text: string, paths: Record<string, string>): string {
  const words = Object.keys(paths).map((path) => path.replaceAll('.', '\\.'))
  return text.replace(new RegExp(words.join('|'), 'g'), (path) => paths[path] ?? path)
}
