/**
 * Puts the elements of a merged list into the order a patch asks for. Elements that the patch names follow its
 * order. Those it does not name (somebody else's) keep their order among themselves, and each goes before the first
 * named element, from the last insertion on, that came after it in the list as it was.
 */
export function orderElements(
  merged: readonly unknown[],
  before: readonly unknown[],
  order: readonly unknown[],
  identify: (item: unknown) => unknown,
): unknown[] {
  const place = new Map(order.map((id, index) => [id, index]))
  const former = new Map(before.map((id, index) => [id, index]))
  const at = (places: Map<unknown, number>, item: unknown) => places.get(identify(item)) ?? Infinity
  const result = merged
    .filter((item) => place.has(identify(item)))
    .sort((a, b) => at(place, a) - at(place, b))
  let from = 0
  for (const item of merged.filter((one) => !place.has(identify(one)))) {
    while (from < result.length && !isLater(result[from], item)) from++
    result.splice(from++, 0, item)
  }
  return result

  /** Known only for two elements that both were in the list before. */
  function isLater(one: unknown, than: unknown): boolean {
    const place = former.get(identify(one))
    const other = former.get(identify(than))
    return place !== undefined && other !== undefined && place > other
  }
}
