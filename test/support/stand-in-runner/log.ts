/** The log lines of gitlab-runner's own formatter, and the two ways its commands end early. */

export type Fields = Record<string, string | number>;

/** Ends the program at once, as `logrus.Fatal` does. */
export class Exit extends Error {
  readonly code: number;

  constructor(code: number, message = `exit ${code}`) {
    super(message);
    this.code = code;
  }
}

/** Ends the program after the clean-up of `register`, as `logrus.Panic` does. */
export class Panic extends Exit {}

export class Log {
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  info(message: string, fields: Fields = {}): void {
    this.#print('', message, fields);
  }

  warning(message: string, fields: Fields = {}): void {
    this.#print('WARNING: ', message, fields);
  }

  error(message: string, fields: Fields = {}): void {
    this.#print('ERROR: ', message, fields);
  }

  fatal(message: string, fields: Fields = {}): never {
    this.#print('FATAL: ', message, fields);
    throw new Exit(1, message);
  }

  panic(message: string, fields: Fields = {}): never {
    this.#print('PANIC: ', message, fields);
    throw new Panic(1, message);
  }

  #print(prefix: string, message: string, fields: Fields): void {
    const pairs = Object.keys(fields)
      .sort()
      .map(key => ` ${key}=${fields[key]}`);
    this.#write(`${prefix}${message.padEnd(50 - prefix.length)} ${pairs.join('')}\n`);
  }
}

/** The only part of a token that is ever shown: nine characters after the known prefixes. */
export function shortToken(token: string): string {
  return token
    .replace(/^glrt-(t[123]_)?|^t[123]_|^glrtr-/, '')
    .replace(/^glcbt-/, '')
    .replace(/^GR[0-9A-Fa-f]{7}/, '')
    .slice(0, 9);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
