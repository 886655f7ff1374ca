/**
 * Paths of object keys that a JSON text gives more than once, which JSON.parse hides. The text must be valid JSON.
 * No more than 100 are told. Paths are written as in Kubernetes' complaints: `spec.template.spec.containers[0].name`.
 */
export function duplicateKeys(text: string): string[] {
  const found = new Set<string>()
  const stack: Frame[] = []
  let expectKey = false
  for (let at = 0; at < text.length; at++) {
    const top = stack.at(-1)
    switch (text[at]) {
      case '{':
        stack.push({ keys: new Set(), key: '', index: -1 })
        expectKey = true
        break
      case '[':
        stack.push({ keys: undefined, key: '', index: 0 })
        expectKey = false
        break
      case '}':
      case ']':
        stack.pop()
        expectKey = false
        break
      case ',':
        if (top && top.keys === undefined) top.index++
        expectKey = top?.keys !== undefined
        break
      case '"': {
        const end = endOfString(text, at)
        if (expectKey && top?.keys) {
          top.key = JSON.parse(text.slice(at, end + 1)) as string
          if (top.keys.has(top.key)) found.add(pathOf(stack))
          if (found.size >= toldMax) return [...found]
          top.keys.add(top.key)
          expectKey = false
        }
        at = end
      }
    }
  }
  return [...found]
}

/** A body of megabytes could give paths of gigabytes. */
const toldMax = 100

interface Frame {
  /** Keys seen in an object; undefined for an array. */
  keys: Set<string> | undefined
  key: string
  index: number
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}

function pathOf(stack: readonly Frame[]): string {
  return stack
    .map(({ keys, key, index }) => (keys ? `.${key}` : `[${index}]`))
    .join('')
    .slice(1)
}
