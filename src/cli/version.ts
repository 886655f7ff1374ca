import { readFileSync } from 'node:fs'

/** Set by the bundler; a run from the sources has neither. */
declare const KEELSON_VERSION: string | undefined
declare const KEELSON_COMMIT: string | undefined
declare const KEELSON_BUILD: string | undefined

/** Of this package. */
export const version: string = typeof KEELSON_VERSION === 'undefined' ? versionOfSources() : KEELSON_VERSION

/** The commit it was built from. */
export const commit: string = typeof KEELSON_COMMIT === 'undefined' ? 'unknown' : KEELSON_COMMIT

function versionOfSources(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** Names the sources and the place that this was built from: two builds of one version differ in it. */
export const build: string | undefined = typeof KEELSON_BUILD === 'undefined' ? undefined : KEELSON_BUILD
