/** Finds what looks like a secret in texts. */

interface Finding {
  readonly path: string;
  readonly line: number;
  readonly kind: string;
  readonly text: string;
}

const shapes: Readonly<Record<string, RegExp>> = {
  // glrt-, glpat-, glcbt-, gldt- and their like, and registration tokens.
  'a token of GitLab': /\b(?:gl[a-z]{1,8}-[\w.-]{12,}|GR1348941[\w-]{12,})/g,
  'a private key': /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/g,
  'a key of AWS': /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  'a token of another service':
    /\b(?:gh[pousr]_\w{20,}|xox[abprs]-[\w-]{10,}|npm_\w{30,}|dckr_pat_[\w-]{20,})/g,
  'a token that is signed': /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/g,
  'a password in an address': /\b[a-z][a-z+.-]*:\/\/[^\s/:@"'`<>$]+:[^\s/@"'`<>$]+@/g,
  // A name that ends so, and a value that is neither a variable, a name, nor empty.
  'a password':
    /\b\w*(?:passw(?:or)?d|secret|token|api_?key)\b["']?(?: *[:=] *| +)["'](?![^"']*[ $[{<])(?=[^"']*\d)[^"'\s]{8,}["']/gi,
};

/** Bits for each sign: random letters and digits have far more than words. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const sign of text) counts.set(sign, (counts.get(sign) ?? 0) + 1);
  return [...counts.values()].reduce(
    (sum, count) => sum - (count / text.length) * Math.log2(count / text.length),
    0,
  );
}

/** Long words that look random: letters and digits through each other. */
function randomWords(line: string): string[] {
  return [...line.matchAll(/[A-Za-z0-9+/_=-]{24,}/g)]
    .map(([word]) => word)
    .filter(word => {
      const switches = word.match(/[A-Za-z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0;
      return switches >= 4 && entropy(word) > 3.5;
    });
}

export function findSecrets(texts: Readonly<Record<string, string>>): Finding[] {
  return Object.entries(texts).flatMap(([path, text]) =>
    text
      .split('\n')
      .flatMap((line, at) => [
        ...Object.entries(shapes).flatMap(([kind, shape]) =>
          [...line.matchAll(shape)].map(([found]) => ({ path, line: at + 1, kind, text: found })),
        ),
        ...randomWords(line).map(found => ({ path, line: at + 1, kind: 'random letters', text: found })),
      ]),
  );
}
