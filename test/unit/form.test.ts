import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formOf } from '../../generators/write/form.ts';

const line = fc
  .tuple(fc.constantFrom('a', 'b', ''), fc.constantFrom('\n', '\r\n'))
  .map(parts => parts.join(''));
const text = fc
  .tuple(fc.constantFrom('', '\uFEFF'), fc.array(line, { maxLength: 8 }), fc.constantFrom('', 'end'))
  .map(([mark, lines, end]) => mark + lines.join('') + end);

it('formOf gives a text back as it was, and says what it is without its form', () => {
  fc.assert(
    fc.property(text, content => {
      const { plain, give } = formOf(content);
      expect(give(plain)).toBe(content);
      expect(plain).toMatch(/^(?:[^\r\n\uFEFF]*\n)*$/);
    }),
  );
});

it.each([
  ['a\r\nb\r\n', 'a\nnew\nb\n', 'a\r\nnew\r\nb\r\n'],
  ['a\r\nb\r\nmine\n', 'new\nb\nmine\n', 'new\r\nb\r\nmine\n'],
  ['a\nb\nmine\r\n', 'a\nmine\nnew\n', 'a\nmine\r\nnew\n'],
  ['\uFEFFa\nb', 'a\nc\n', '\uFEFFa\nc'],
  ['', 'a\n', 'a\n'],
])('formOf of %j makes of %j %j', (content, plain, expected) => {
  expect(formOf(content).give(plain)).toBe(expected);
});
