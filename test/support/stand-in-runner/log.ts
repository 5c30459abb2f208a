/** The log lines of gitlab-runner's own formatter, coloured also without a terminal, and its early end. */

export type Fields = Record<string, string | number>;

/** Ends the program at once. */
export class Exit extends Error {
  readonly code: number;

  constructor(code: number, message = `exit ${code}`) {
    super(message);
    this.code = code;
  }
}

const RESET = '\x1b[0;m';
const COLOURS: Record<string, string> = { '': '', 'WARNING: ': '\x1b[0;33m' };
const RED = '\x1b[31;1m';

export class Log {
  readonly #write: (line: string) => void;
  /** Lines by their level: what gitlab_runner_errors_total counts. */
  readonly counts = { warning: 0, error: 0, fatal: 0, panic: 0 };

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  info(message: string, fields: Fields = {}): void {
    this.#print('', message, fields);
  }

  warning(message: string, fields: Fields = {}): void {
    this.counts.warning += 1;
    this.#print('WARNING: ', message, fields);
  }

  error(message: string, fields: Fields = {}): void {
    this.counts.error += 1;
    this.#print('ERROR: ', message, fields);
  }

  fatal(message: string, fields: Fields = {}): never {
    this.#print('FATAL: ', message, fields);
    throw new Exit(1, message);
  }

  panic(message: string, fields: Fields = {}): never {
    this.#print('PANIC: ', message, fields);
    throw new Exit(1, message);
  }

  #print(prefix: string, message: string, fields: Fields): void {
    const colour = COLOURS[prefix] ?? RED;
    const pairs = Object.keys(fields)
      .sort()
      .map(key => ` ${colour}${key}${RESET}=${fields[key]}`);
    this.#write(`${colour}${prefix}${message.padEnd(50 - prefix.length)}${RESET} ${pairs.join('')}\n`);
  }
}

/** What log lines, metrics and labels show of a token (ShortenToken in the source of GitLab Runner). */
export function shortToken(token: string): string {
  const prefix = /^gl(rt|rtr|cbt)-/.exec(token)?.[0] ?? '';
  if (/^GR[0-9A-Fa-f]{7}.{8}/.test(token)) return token.slice(0, 17);
  return token.slice(prefix.length, prefix.length + (prefix ? 9 : 8));
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
