import { join } from 'node:path'

/**
 * Where a user's compile service is looked for (native/front/service.c does the same): a directory that is the user's
 * alone; the socket in it is named after the build. Undefined where the user has none.
 */
export function serviceFolder(
  { KEELSON_OCI_SERVICE: given, XDG_RUNTIME_DIR: personal }: Readonly<Record<string, string | undefined>>,
  isRoot: boolean,
): string | undefined {
  if (given !== undefined) return given || undefined
  return isRoot || !personal ? '/run/keelson-compile' : join(personal, 'keelson-compile')
}
