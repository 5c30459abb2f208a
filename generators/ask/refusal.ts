/** An answer that cannot be used; its message is one sentence that says why, and what would do. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** What a parser of YAML or TOML says is wrong, in one line. Those below it show the text, which may hold a token. */
export function reasonOfParser(error: unknown): string {
  const [reason = ''] = (error as Error).message.split('\n');
  return reason.replace(/:$/, '');
}
