/**
 * `$(NAME)` references in command, args and env values. A reference to a name that is not known stays as it is
 * written; `$$` stands for one `$`, so `$$(NAME)` is the literal text `$(NAME)`.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (match, name: string | undefined) =>
    name === undefined ? '$' : (lookup(name) ?? match),
  )
}
