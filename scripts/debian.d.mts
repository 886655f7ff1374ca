/** What scripts download and build; `make clean` removes it. */
export const cache: string
/** Downloads Debian packages and unpacks them over `folder`, once. */
export function unpackOnce(names: readonly string[], folder: string): Promise<string>
