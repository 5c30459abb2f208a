import { expect, it } from 'vitest';
import { readEnvironment } from '../../../generators/from/environment-file.ts';
import { interpolate } from '../../../generators/from/interpolate.ts';

const variables = { SET: 'v17', EMPTY: '', HOST: 'gitlab.local' };

// As https://docs.docker.com/reference/compose-file/interpolation/ has it.
it.each([
  ['$SET-${SET}', 'v17-v17'],
  ['$$SET $${SET}', '$SET ${SET}'],
  ['${SET:-x} ${EMPTY:-x} ${NONE:-x}', 'v17 x x'],
  ['${SET-x} ${EMPTY-x} ${NONE-x}', 'v17  x'],
  ['${SET:+alpine} ${EMPTY:+alpine}|${NONE:+alpine}', 'alpine |'],
  ['${SET+alpine} ${EMPTY+alpine}|${NONE+alpine}', 'alpine alpine|'],
  ['${SET:?set it} ${EMPTY?set it}|', 'v17 |'],
  ['${NONE:-${HOST}:${SET}}', 'gitlab.local:v17'],
  ['${NONE:-a$$b} 5$ $1 {x}', 'a$b 5$ $1 {x}'],
])('Compose reads %s as %s', (text, wanted) => {
  const notes: string[] = [];
  expect(interpolate(text, variables, note => notes.push(note))).toBe(wanted);
  expect(notes).toEqual([]);
});

it.each([
  ['${NONE:?set it}', 'the variable NONE, which has to be set'],
  ['${EMPTY:?set it}', 'the variable EMPTY, which has to be set'],
  ['$NONE', 'the variable NONE: nothing sets it, so it is taken as empty'],
  ['${a b}', 'something in ${} that is no variable'],
])('%s is empty, and named', (text, wanted) => {
  const notes: string[] = [];
  expect(interpolate(text, variables, note => notes.push(note))).toBe('');
  expect(notes).toEqual([wanted]);
});

it('a .env is read as Compose reads it', () => {
  const text = `# a comment
PLAIN=a b # a comment
HASH=a#b
  export SINGLE='it is $PLAIN # "no" comment' # but this
DOUBLE="a\\nb \\$PLAIN $HASH \\"q\\""
COLON: yes
EMPTY=
QUOTE='Let\\'s'
LINES='one
two'
AFTER=\${HASH}/x\r
`;
  expect(readEnvironment(text)).toEqual({
    PLAIN: 'a b',
    HASH: 'a#b',
    SINGLE: 'it is $PLAIN # "no" comment',
    DOUBLE: 'a\nb $PLAIN a#b "q"',
    COLON: 'yes',
    EMPTY: '',
    QUOTE: "Let's",
    LINES: 'one\ntwo',
    AFTER: 'a#b/x',
  });
});
