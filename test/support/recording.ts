// Draws what a terminal showed, one screen after the other, as an SVG that moves.

/** A screen with its escape sequences, and the seconds for which it is shown. */
export interface Frame {
  readonly screen: string;
  readonly seconds: number;
}

/** The size of a terminal, in characters. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const [character, line, margin, bar] = [8.4, 18, 14, 30]; // in pixels, at a font size of 14

/** How text looks after each code of "\u001b[CODEm" that is known here; 0 and those of `takenBy` take classes away. */
const classOf: Readonly<Record<string, string>> = {
  1: 'bold',
  2: 'dim',
  4: 'line',
  31: 'red',
  32: 'green',
  33: 'yellow',
  34: 'blue',
  35: 'magenta',
  36: 'cyan',
  90: 'dim',
};
const takenBy: Readonly<Record<string, readonly string[]>> = {
  22: ['bold', 'dim'],
  24: ['line'],
  49: [], // no background has a look here
  39: ['red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'dim'],
};

function styled(classes: ReadonlySet<string>, code: string): ReadonlySet<string> {
  if (/^0?$/.test(code)) return new Set();
  const taken = takenBy[code];
  if (taken) return new Set([...classes].filter(one => !taken.includes(one)));
  const added = classOf[code];
  if (!added) throw new Error(`A terminal's code ${code} has no look: name one in classOf.`);
  return new Set([...classes, added]);
}

const escaped = (text: string) => text.replace(/[&<>]/g, sign => `&#${sign.charCodeAt(0)};`);
const rounded = (number: number) => String(Math.round(number * 100) / 100);

/**
 * The rows of a screen as SVG, without what is blank.
 *
 * @param screen with escape sequences for colours, as tmux prints it with -e
 * @throws Error for a sequence that is not known here
 */
export function rowsOf(screen: string): string {
  let classes: ReadonlySet<string> = new Set();
  const rows = screen.split('\n').map((text, row) => {
    let column = 0;
    const spans = text.split('\u001b[').map((sequence, at) => {
      const [, codes = '', part = ''] =
        at === 0 ? ['', '0', sequence] : (/^([\d;]*)m(.*)$/.exec(sequence) ?? []);
      if (at > 0) for (const code of codes.split(';')) classes = styled(classes, code);
      const [start, end] = [column + part.length - part.trimStart().length, column + part.length];
      column = end;
      if (part.trim() === '') return '';
      const look = classes.size > 0 ? ` class="${[...classes].join(' ')}"` : '';
      const x = rounded(margin + start * character);
      // A font of another width does not move what stands in columns.
      const length = rounded(part.trim().length * character);
      return `<tspan x="${x}" textLength="${length}"${look}>${escaped(part.trim())}</tspan>`;
    });
    const drawn = spans.join('');
    return drawn && `<text y="${bar + (row + 1) * line}">${drawn}</text>`;
  });
  return rows.filter(row => row !== '').join('\n');
}

const colours = (names: Readonly<Record<string, string>>) =>
  Object.entries(names)
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');
const light = colours({
  ground: '#f6f8fa',
  edge: '#d0d7de',
  text: '#1f2328',
  dim: '#59636e',
  red: '#b3261e',
  green: '#116329',
  yellow: '#7d4e00',
  blue: '#0550ae',
  magenta: '#6639ba',
  cyan: '#0a5e6b',
});
const dark = colours({
  ground: '#161b22',
  edge: '#3d444d',
  text: '#e6edf3',
  dim: '#9198a1',
  red: '#ff7b72',
  green: '#56d364',
  yellow: '#e3b341',
  blue: '#79c0ff',
  magenta: '#d2a8ff',
  cyan: '#76e3ea',
});

/** When each frame is seen; whoever wants nothing to move sees the last one. */
function styleOf(frames: readonly Frame[]): string {
  const total = frames.reduce((sum, { seconds }) => sum + seconds, 0);
  let start = 0;
  const times = frames.map(({ seconds }, at) => {
    const [from, to] = [start, start + seconds].map(second => `${rounded((second / total) * 100)}%`);
    start += seconds;
    const shown = at === 0 ? '' : '0%{visibility:hidden}';
    const hidden = at === frames.length - 1 ? '' : `${to}{visibility:hidden}`;
    return `@keyframes f${at}{${shown}${from}{visibility:visible}${hidden}}#f${at}{animation-name:f${at}}`;
  });
  const names = ['dim', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan'];
  return [
    `svg{${light}}`,
    `@media(prefers-color-scheme:dark){svg{${dark}}}`,
    'text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--text)}',
    ...names.map(name => `.${name}{fill:var(--${name})}`),
    '.bold{font-weight:700}.line{text-decoration:underline}',
    'rect{fill:var(--ground);stroke:var(--edge)}circle{fill:var(--edge)}',
    '.frame{visibility:hidden}.frame:last-of-type{visibility:visible}',
    `@media(prefers-reduced-motion:no-preference){.frame{animation:${total}s step-end infinite}\n${times.join('\n')}}`,
  ].join('\n');
}

/** @param title what a screen reader says of it */
export function svgOf(frames: readonly Frame[], { columns, rows }: Size, title: string): string {
  const [width, height] = [columns * character + 2 * margin, bar + rows * line + margin].map(Math.ceil);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<title>${escaped(title)}</title>`,
    `<style>\n${styleOf(frames)}\n</style>`,
    `<rect x=".5" y=".5" width="${width! - 1}" height="${height! - 1}" rx="8"/>`,
    ...[18, 36, 54].map(x => `<circle cx="${x}" cy="17" r="5.5"/>`),
    ...frames.map(({ screen }, at) => `<g class="frame" id="f${at}">\n${rowsOf(screen)}\n</g>`),
    '</svg>\n',
  ].join('\n');
}
