/**
 * The text in lines of at most so many characters, broken at spaces; a longer word has a line of its own.
 *
 * @param indent what stands before each line but the first
 */
export function wrapped(text: string, columns: number, indent = ''): string[] {
  const start = /^ */.exec(text)?.[0] ?? '';
  const lines = [start];
  for (const word of text.slice(start.length).split(' ')) {
    const line = lines.at(-1)!;
    const longer = `${line}${line.trim() === '' ? '' : ' '}${word}`;
    if (line.trim() === '' || longer.length <= columns) lines[lines.length - 1] = longer;
    else lines.push(`${indent}${word}`);
  }
  return lines;
}

/** A sentence, or an entry of a list, in lines that fit; another line that is indented, or lines that were broken before, as they are. */
export function fitted(line: string, columns: number): string[] {
  if (line.startsWith('  - ')) return wrapped(line, columns, '    ');
  return /^ |\n/.test(line) ? [line] : wrapped(line, columns);
}

/** Characters that a line has where it is printed: any number where that is no terminal. */
export function columnsOf(stream: NodeJS.WriteStream): number {
  return stream.isTTY ? stream.columns : Number.POSITIVE_INFINITY;
}
