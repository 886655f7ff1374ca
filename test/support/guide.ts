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

/** The commands of every `sh` block of a guide, one a line, in their order; a comment at the end of a line is dropped. */
export function guideCommands(guide: string, paths: Record<string, string>): string[] {
  const blocks = [...textOf(guide).matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  const lines = blocks.flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
  return lines
    .map((line) => withPaths(line.replace(/\s+# .*$/, '').trim(), paths))
    .filter((line) => line !== '' && !line.startsWith('#'))
}

function sectionOf(guide: string, heading: string): string {
  return textOf(guide).split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
}

function textOf(guide: string): string {
  return readFileSync(new URL(`../../docs/guides/${guide}.md`, import.meta.url), 'utf8')
}

function withPaths(text: string, paths: Record<string, string>): string {
  return Object.entries(paths).reduce((now, [path, own]) => now.replaceAll(path, own), text)
}
