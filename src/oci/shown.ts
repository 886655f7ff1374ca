const longestShown = 80

/** A value as it stands in the file, short enough for one line whatever somebody put there. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return value === null ? 'null' : 'an object'
  if (typeof value !== 'string') return String(value)
  return value.length <= longestShown
    ? JSON.stringify(value)
    : `${JSON.stringify(value.slice(0, longestShown))}… (${value.length} characters)`
}
