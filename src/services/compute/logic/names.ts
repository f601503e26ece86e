/**
 * A server's host name from its display name: lower case, a label of RFC 1123, at most 63 characters.
 * A name of which nothing is left falls back to the id.
 */
export function hostnameOf(name: string, id: string): string {
  const label = name
    .normalize('NFKD')
    .replace(/[ _.]/g, '-')
    .replace(/[^\w-]/g, '')
    .toLowerCase()
    .slice(0, 63)
    .replace(/^-+|-+$/g, '')
  return label || `server-${id}`.slice(0, 63)
}

/** Words of a command line, with the quotes and backslashes of a POSIX shell; nothing is expanded. */
export function shellWords(line: string): string[] {
  const words: string[] = []
  let word = ''
  let begun = false
  for (const [, plain, single, double, escaped, blank] of line.matchAll(
    /([^\s'"\\]+)|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|(\s+)/g,
  )) {
    if (blank !== undefined) {
      if (begun) words.push(word)
      word = ''
      begun = false
      continue
    }
    begun = true
    word += plain ?? single ?? escaped ?? (double ?? '').replace(/\\(["\\$`])/g, '$1')
  }
  if (begun) words.push(word)
  return words
}

/** The image property `os_command_line`: a JSON list of words, or one line as a shell would split it. */
export function commandOf(property: string | undefined): string[] | null {
  if (property === undefined || property.trim() === '') return null
  if (property.trim().startsWith('[')) {
    try {
      const list: unknown = JSON.parse(property)
      if (Array.isArray(list) && list.every((word) => typeof word === 'string')) return list
    } catch {
      // Not JSON after all: `[ -f /x ] && …` is a command line too.
    }
  }
  return shellWords(property)
}
