import { diffIndices } from 'node-diff3';

/** A text, apart from how an editor or Git ends its lines. */
export interface Form {
  /** Without a byte order mark, and with a line feed alone at the end of each line, the last one too. */
  readonly plain: string;
  /** Another plain text in the form of this one: lines that both have end as here, and others as most do here. */
  readonly give: (plain: string) => string;
}

const mark = '\uFEFF';

/** How that text is written, apart from what it says. */
export function formOf(text: string): Form {
  const start = text.startsWith(mark) ? mark : '';
  const body = text.slice(start.length);
  const end = /[^\n]$/.test(body) ? '\n' : '';
  const ends = body.match(/\r?\n/g) ?? [];
  const usual = ends.filter(one => one === '\r\n').length * 2 > ends.length ? '\r\n' : '\n';
  const lines = body.replaceAll('\r\n', '\n') + end;
  const give = (plain: string) => {
    const given = ends.every(one => one === usual)
      ? plain.replaceAll('\n', usual)
      : endedAs(ends, lines, plain, usual);
    return start + (end === '' ? given : given.replace(/\r?\n$/, ''));
  };
  return { plain: lines, give };
}

/** The lines of the one text, of which those that another has too end as they do there. */
function endedAs(ends: readonly string[], there: string, plain: string, usual: string): string {
  const [others, lines] = [there, plain].map(text => text.split('\n'));
  const same = new Map<number, string | undefined>();
  let [at, other] = [0, 0];
  const keep = (until: number) => {
    while (at < until) same.set(at++, ends[other++]);
  };
  for (const { buffer1, buffer2 } of diffIndices(others!, lines!)) {
    keep(buffer2[0]);
    [at, other] = [at + buffer2[1], other + buffer1[1]];
  }
  keep(lines!.length);
  return lines!.map((line, at) => (at < lines!.length - 1 ? line + (same.get(at) ?? usual) : line)).join('');
}
