/**
 * JSON whose whole numbers may have 64 bits, as a seccomp profile's do: JSON.parse would round those beyond 2^53, and
 * a mask that was rounded is another mask. Here they come as bigint; all other numbers stay numbers.
 */
export function parseExactJson(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text)
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g, (word) =>
    word.startsWith('"') || Number.isSafeInteger(Number(word)) ? word : JSON.stringify(mark + word),
  )
  try {
    return JSON.parse(marked, (_, value) => (isMarked(value) ? BigInt(value.slice(mark.length)) : value))
  } catch {
    return JSON.parse(text) // so that the error names the place in what the caller gave
  }
}

/** The same the other way: a bigint is written as the number it is. */
export function encodeExactJson(value: unknown): string {
  try {
    return JSON.stringify(value) // most values have none, and a function that is asked of each takes longer than all else
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
  const text = JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? mark + item : item))
  return text.replace(/"\\u0000exact (-?\d+)"/g, '$1')
}

/** No string of a specification begins like this: NUL is refused in all of them. */
const mark = '\0exact '

function isMarked(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith(mark)
}
