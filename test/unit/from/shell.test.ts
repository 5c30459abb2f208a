import { describe, expect, it } from 'vitest';
import { commandsIn, isKnown, type Variables } from '../../../generators/from/shell.ts';
import { run } from '../../support/rendered.ts';

const wordsIn = (script: string) => commandsIn(script).map(({ words }) => words);

describe('the words of a script', () => {
  it.each([
    `a 'b c' "d e" f\\ g`,
    `a "it's" 'x"y' "q\\"r" "\\$HOME"`,
    'N=1; M="$N 2"; a $N "$M" ${N} ${N:-3} ${NONE:-4} pre$N-post',
    'a \\\n  --b=1 \\\n  --c "two\nlines"',
    'a # nothing\nb#c d',
    'export N=x\na "$N"',
    'a && b || c; d | e &',
    'a \'\' ""',
    'if a; then\n  b $X\nfi',
    'a --x="1 2"',
    'a 1 >/dev/null 2>&1 2\nb 2>>log <log 3 &>/dev/null',
    'a 1 2>&1 | c -a && b 2; d 3 >log',
    'a 1 \\\n  2 # the end \\\nb 3',
    'a "one \\\ntwo" thr\\\nee',
    "a 1 <<EOF\nit's a text\nEOF\nb 2",
    'a ${N:-1} ${X:+2} ${X:?no}',
    ': ${Y:=5}; a $Y',
    'M=2; a "${N:-$M}" ${N:-${K:-"34"}} ${X:-$M} "${N:-a}b}" ${M:+$X}',
  ])('are those that a shell gives a program: %j', script => {
    const known = { X: 'known' };
    const names = ['a', 'b', 'b#c', 'c', 'd', 'e'];
    // Each of these is a function that notes its words, by one write, for those of a pipe run at once; "if" and "then" are the shell's.
    const functions = names
      .filter(name => /^\w$/.test(name))
      .map(
        name =>
          `${name}() { noted=$(printf '%s\\1' ${name} "$@"; printf '\\2'); printf %s "$noted" >>words; }\n`,
      );
    const shell = run(
      '.',
      ['sh', '-c', `cd "$(mktemp -d)"; ${functions.join('')} ${script}\nwait; cat words; rm -r "$PWD"`],
      '',
      { ...process.env, ...known },
    );
    const seen = shell.stdout
      .split('\u0002')
      .slice(0, -1)
      .map(words => words.split('\u0001').slice(0, -1));
    const read = commandsIn(script, { ...known })
      .map(({ words }) => words.filter(word => !['if', 'then', 'fi'].includes(word)))
      .filter(([name]) => names.includes(name ?? '') && name !== 'b#c');
    // Of alternatives a shell runs some; each that it ran was read, and so in its order.
    for (const words of seen) expect(read).toContainEqual(words);
    expect(seen.length).toBeGreaterThan(0);
  });

  it.each(['"$(cat token)"', '`cat token`', '$UNKNOWN', '${NAME%x}', 'a$(echo $(x))b', '$TWO'])(
    'are known not to be known where only running it tells: %s',
    word => {
      const [[, one, last] = []] = wordsIn(`TWO='b c'; a ${word} z`);
      expect(isKnown(one!)).toBe(false);
      expect(last).toBe('z');
    },
  );

  it('are found in what stands there for another program to read, which may be a shell', () => {
    expect(wordsIn("sh <<'EOF'\na 1\nEOF\nb 2")).toEqual([['sh'], ['b', '2'], ['a', '1']]);
  });

  it('leave what they set to whoever reads on', () => {
    const variables: Variables = {};
    commandsIn('A=1\nB="$A$A"\n', variables);
    expect(variables).toEqual({ A: '1', B: '11' });
  });
});
