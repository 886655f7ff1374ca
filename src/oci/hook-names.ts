/** The hooks of config.md, "POSIX-platform Hooks", in the order of a container's life. */
export const hookNames = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const
