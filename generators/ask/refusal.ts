/** What tokens of GitLab begin with: https://docs.gitlab.com/security/tokens/#token-prefixes */
export const tokenPrefixes = 'gl(?:pat|rtr?|dt|cbt|ptt|ft|imt|agent|soat|ffct|oas|wt)-';
/** What those begin with that make runners, and are none of a runner. */
export const registrationPrefix = 'GR1348941';

/** Tokens of GitLab by their look, also with a prefix of the instance. */
const token = new RegExp(
  String.raw`(?<![a-z0-9])${tokenPrefixes}[\w.-]{7,}[\w-]|${registrationPrefix}[\w-]{8,}`,
  'i',
);
const tokens = new RegExp(token, 'gi');

// Control characters, line separators, invisible direction overrides, and code points that YAML forbids.
export const unprintable = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\p{Cs}/u;
/** The same, but for the line breaks that a message of ours can have. */
const allUnprintable = new RegExp(`(?!\\n)(?:${unprintable.source})`, 'gu');

/** What was typed, short enough to show in a sentence. */
export function shown(text: string): string {
  // A sign takes two places at most: so much is enough to have 31 of them.
  const signs = [...text.slice(0, 62).replace(new RegExp(unprintable, 'gu'), '?')];
  return signs.length > 30 ? `${signs.slice(0, 30).join('')}...` : signs.join('');
}

/**
 * An answer that cannot be used; its message is one sentence that says why, and what would do. It shows no token, and
 * nothing that a terminal takes for a command.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(message: string) {
    super(message.replace(tokens, '[masked]').replace(allUnprintable, '?'));
  }
}

/** @throws Refusal if a text has a token in it: all answers come into Git */
export function refuseToken(text: string): void {
  if (!token.test(text)) return;
  throw new Refusal(
    'There is a token in it, and answers come into Git: "make register" asks for tokens, and keeps them in .env.',
  );
}

/** What a parser of YAML or TOML says is wrong, in one line. Those below it show the text, which may hold a token. */
export function reasonOfParser(error: unknown): string {
  const [reason = ''] = (error as Error).message.split('\n');
  return reason.replace(/:$/, '');
}
