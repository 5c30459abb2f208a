import type { TomlTable, TomlValue } from 'smol-toml';
import { registrationPrefix, tokenPrefixes } from '../ask/refusal.ts';

/** Keys, and names of variables, whose values are secrets by their name. */
const secretName =
  /token|secret|passw(or)?d|passphrase|private_?key|account_?key|access_?key|auth_?config|credential(?!s_?file)|webhook|(^|_)(auth|pass|pw|pwd)$|pw$/i;
/** A token that makes runners, and is none of a runner. */
const registrationToken = new RegExp(String.raw`${registrationPrefix}[\w-]{8,}`);
/**
 * Secrets by their look, wherever in a text they are: tokens of GitLab, GitHub, AWS and Slack, accounts in addresses, keys, and what
 * headers and options say.
 */
const secretLooks = [
  new RegExp(String.raw`${tokenPrefixes}[\w.-]{8,}`),
  registrationToken,
  /gh[pousr]_\w{30,}|github_pat_\w{30,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}/,
  /(?<=:\/\/)[^/\s:@"']*(?::[^/\s@"']*)?@/,
  /-----BEGIN[\s\S]*?(?:-----END[^\n]*|$)/,
  /(?<=\b(?:bearer|basic)\s+)(?=\S*[\d=])[\w+/=.~-]{8,}/i,
  /(?<=(?:token|passw(?:or)?d|secret|api_?key)["']?\s*[:=]\s*["']?)[^\s"'$/<[{][^\s"']{5,}/i,
  /(?<=--(?:password|passphrase|pass|secret)[ =]["']?)[^\s"'$]{4,}/,
  /(?<=\b(?:mysql|mysqldump|mariadb|mongo|mongosh)\b[^\n|;&]*\s-p)[^\s"'$]{3,}/,
  /(?<=hooks\.slack\.com\/services\/)[\w/]{8,}/,
  /(?<=[\w-]*(?:secret|access|account|private|api)[-_]?key=)[^\s"'$]{8,}/i,
];

/** Whether that token makes runners, and is none of a runner. */
export const isRegistrationToken = (token: string): boolean => token.search(registrationToken) === 0;

/** Finds secrets in texts: by their look, by the name of what holds them, and where they are known from elsewhere. */
export class Secrets {
  readonly #looks: RegExp;

  /**
   * @param tokens of runners, in whatever shape
   * @param environment variables of .env: those that are secrets by their name, and look as made up by a program
   */
  constructor(tokens: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const named = Object.entries(environment).filter(
      ([name, value]) => secretName.test(name) && /^(?=.*\d)(?=.*[a-z])\S{12,}$/i.test(value),
    );
    const known = [
      ...tokens.filter(token => token.length >= 8 && !token.startsWith('$')),
      ...named.map(([, value]) => value),
    ];
    const sources = [...known.map(text => literal(text)), ...secretLooks];
    this.#looks = new RegExp(
      sources.map(one => (typeof one === 'string' ? one : `(?:${one.source})`)).join('|'),
      'gi',
    );
  }

  holds(text: string): boolean {
    return text.search(this.#looks) >= 0;
  }

  /** The text with *** for each. */
  masked(text: string): string {
    return text.replace(this.#looks, '***');
  }

  /**
   * A table without secrets, which must not come into Git; dates, which no key of config.toml has, go too.
   *
   * @param notUnderstood gains what was left out, by its name and never by its value
   */
  without(table: TomlTable, notUnderstood: string[], path: readonly string[] = []): TomlTable {
    const kept: TomlTable = {};
    for (const [key, value] of Object.entries(table)) {
      const left = this.holds(key)
        ? this.#leaveOut([...path, 'a key'].join('.'), notUnderstood)
        : this.#withoutSecrets(value, [...path, key], notUnderstood);
      if (left !== undefined) kept[key] = left;
    }
    return kept;
  }

  #withoutSecrets(value: TomlValue, path: readonly string[], notUnderstood: string[]): TomlValue | undefined {
    const name = path.join('.');
    if (value instanceof Date) {
      notUnderstood.push(`${name} of config.toml: a date`);
      return undefined;
    }
    if (Array.isArray(value)) return this.#withoutSecretWords(value, path, notUnderstood);
    if (typeof value === 'object') return this.without(value, notUnderstood, path);
    if (typeof value !== 'string' || value === '') return value;
    const [, variable] = /^(\w+)=(?=.)/.exec(value) ?? [];
    const isNamed = secretName.test(path.at(-1)!) || (variable !== undefined && secretName.test(variable));
    // A path to a secret is none.
    const isPath = /^(\w+=)?\/[\w./-]+$/.test(value);
    if (!this.holds(value) && (!isNamed || isPath)) return value;
    return this.#leaveOut([name, variable].filter(Boolean).join(' '), notUnderstood);
  }

  /** Of the words of a command, or of options of one program, none means anything without the others. */
  #withoutSecretWords(
    values: TomlValue[],
    path: readonly string[],
    notUnderstood: string[],
  ): TomlValue[] | undefined {
    const words = values.map(one => (typeof one === 'string' ? one : ''));
    const isCommand = words.some(word => word.startsWith('-')) || path.at(-1) === 'MachineOptions';
    const isSecret = words.some(
      (word, at) =>
        this.holds(word) || (/^--?\w/.test(words[at - 1] ?? '') && secretName.test(words[at - 1]!)),
    );
    if (isCommand && isSecret) return this.#leaveOut(path.join('.'), notUnderstood);
    const left = values.flatMap(one => this.#withoutSecrets(one, path, notUnderstood) ?? []);
    return left.length > 0 || values.length === 0 ? left : undefined;
  }

  #leaveOut(name: string, notUnderstood: string[]): undefined {
    notUnderstood.push(`${this.masked(name)} of config.toml: a secret, which may not be in Git`);
    return undefined;
  }
}

/** The text as an expression that fits it alone. */
export const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
