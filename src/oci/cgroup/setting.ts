/** One limit, as a write to a file of its controller's directory. */
export interface Setting {
  controller: string
  file: string
  value: string
  /** The field of linux.resources that asked for it. */
  field: string
  /**
   * What to do when it cannot be written. `fail` (default); `skipAbsent`: the kernel may lack the file, and what is
   * asked for is what it then does anyway; `skip`: whatever the reason.
   */
  failure?: 'skipAbsent' | 'skip'
  /** Only where the setting before this one found its file absent: a second name of the same knob. */
  alternative?: true
  /** Only after the container's process is inside, which it would keep out. */
  late?: true
}

/** What is set now, for limits whose order depends on it: file → text, undefined when unreadable. */
export type Current = (controller: string, file: string) => string | undefined

export function currentNumber(current: Current, controller: string, file: string): number | undefined {
  const text = current(controller, file)?.trim()
  return text && /^-?\d+$/.test(text) ? Number(text) : undefined
}
