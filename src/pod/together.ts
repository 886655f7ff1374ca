/** As Promise.all, but waits for every one even when some fail: what is still being acquired could not be undone. */
export async function together<Work extends readonly unknown[]>(
  ...work: Work
): Promise<{ -readonly [K in keyof Work]: Awaited<Work[K]> }> {
  await Promise.allSettled(work)
  return Promise.all(work)
}
