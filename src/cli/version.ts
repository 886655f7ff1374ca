import packageJson from '../../package.json' with { type: 'json' }

/** Set by the bundler. */
declare const KEELSON_COMMIT: string | undefined

/** Of this package. */
export const version: string = packageJson.version

/** The commit it was built from; `unknown` when run from its sources. */
export const commit: string = typeof KEELSON_COMMIT === 'undefined' ? 'unknown' : KEELSON_COMMIT
