/** The rules of test/tidy.test.ts as functions of texts and paths, so that each can be shown to catch what it is for. */

export interface Import {
  from: string
  specifier: string
  /** Path from the root, for an import of a file of ours. */
  target: string | undefined
}

/** folder → what it may import: folders of ours (a prefix allows everything below it), then packages. */
export type ImportTable = Readonly<
  Record<string, { folders: readonly string[]; packages: readonly string[] }>
>

/** Every specifier a TypeScript text imports or re-exports, as a value, as a type, or when it runs. */
export function specifiersOf(text: string): string[] {
  const source = withoutComments(text)
  const patterns = [
    /(?:^|[\s;}])(?:import|export)(?![\w$])(?:[^'"`;()=]*?[\s}*]from)?\s*['"]([^'"]+)['"]/g,
    /(?<![\w$.])import\s*\(\s*['"]([^'"]+)['"]/g,
    /(?<![\w$.])require(?:\.resolve)?\s*\(\s*['"]([^'"]+)['"]/g,
  ]
  return patterns.flatMap((pattern) => [...source.matchAll(pattern)].map(([, specifier = '']) => specifier))
}

/** Comments may name what the code may not touch. Strings stay, `https://` in them included. */
export function withoutComments(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$|('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")/gm,
    (_all, literal: string | undefined) => literal ?? '',
  )
}

/** Imports that the table does not allow. */
export function brokenArrows(imports: readonly Import[], table: ImportTable): Import[] {
  return imports.filter(({ from, specifier, target }) => {
    const folder = folderOf(from, table)
    const allowed = folder === undefined ? undefined : table[folder]
    if (folder === undefined || allowed === undefined) return true
    if (target !== undefined)
      return !within(target, folder) && !allowed.folders.some((one) => within(target, one))
    if (specifier.startsWith('node:')) return false
    return !allowed.packages.some((name) => within(specifier, name))
  })
}

/** Circles among the folders of the table, each once, as `a → b → a`. */
export function folderCycles(imports: readonly Import[], table: ImportTable): string[] {
  const arrows = new Map<string, Set<string>>()
  for (const { from, target } of imports) {
    const source = folderOf(from, table)
    const goal = target && folderOf(target, table)
    if (source && goal && source !== goal) arrows.set(source, (arrows.get(source) ?? new Set()).add(goal))
  }
  const cycles = new Set<string>()
  const done = new Set<string>()
  const visit = (folder: string, trail: readonly string[]): void => {
    if (trail.includes(folder))
      return void cycles.add([...trail.slice(trail.indexOf(folder)), folder].join(' → '))
    if (done.has(folder)) return
    for (const next of arrows.get(folder) ?? []) visit(next, [...trail, folder])
    done.add(folder)
  }
  for (const folder of arrows.keys()) visit(folder, [])
  return [...cycles]
}

/** Everything reached from one file, packages by name. */
export function reachedFrom(start: string, imports: readonly Import[]): Set<string> {
  const reached = new Set([start])
  for (const path of reached)
    for (const { from, specifier, target } of imports) if (from === path) reached.add(target ?? specifier)
  return reached
}

/** Environment, console and time: facilities that only base and cli may take from the process. */
export function touchesProcess(text: string): boolean {
  return /\bprocess\s*\.\s*env\b|\bconsole\s*\.|\bset(?:Timeout|Interval)\b|\bAbortSignal\.timeout\b|['"](?:node:)?timers\b/.test(
    withoutComments(text),
  )
}

export function includesNapi(text: string): boolean {
  return /^\s*#\s*include\s*[<"](?:napi|node_api|js_native_api)\.h/m.test(text)
}

/** The longest folder of the table that holds this file. */
export function folderOf(path: string, table: ImportTable): string | undefined {
  return Object.keys(table)
    .filter((folder) => within(path, folder))
    .sort((a, b) => b.length - a.length)[0]
}

export function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}
