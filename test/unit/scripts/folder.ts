import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, vi } from 'vitest';
import { type Note, type Result, type Run, root } from '../../../templates/scripts/host.ts';

/** Node.js 24, which runs TypeScript as it is. */
export const node = fileURLToPath(new URL('../../tools/node_modules/.bin/node', import.meta.url));

const ofTemplates = root.pathname;
const made: string[] = [];

const { isTTY, columns } = process.stdout;

afterEach(() => {
  vi.useRealTimers();
  Object.assign(process.stdout, { isTTY, columns });
  root.pathname = ofTemplates;
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

/** A new folder that the scripts take for their repository until the test ends. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'scripts-'));

  constructor(env?: string) {
    made.push(this.path);
    root.pathname = `${this.path}/`;
    if (env !== undefined) this.write('.env', env);
  }

  get env(): string {
    return this.read('.env');
  }

  at(name: string): string {
    return join(this.path, name);
  }

  read(name: string): string {
    return readFileSync(this.at(name), 'utf8');
  }

  write(name: string, text: string, mode = 0o600): void {
    writeFileSync(this.at(name), text);
    chmodSync(this.at(name), mode);
  }

  mkdir(name: string): void {
    mkdirSync(this.at(name));
  }

  /** Puts the scripts there, to be run as programs. */
  withScripts(): this {
    this.mkdir('scripts');
    const examples = fileURLToPath(new URL('../../../examples/default/scripts/settings.ts', import.meta.url));
    copyFileSync(examples, this.at('scripts/settings.ts'));
    for (const name of ['host.ts', 'gitlab.ts', 'register.ts'])
      copyFileSync(join(ofTemplates, 'scripts', name), this.at(`scripts/${name}`));
    return this;
  }

  mode(name: string): number {
    return statSync(this.at(name)).mode & 0o777;
  }
}

/** A `run` that answers by the beginnings of commands; what it does not know is not installed. */
export function fakeRun(answers: Record<string, Partial<Result>>): Run & { commands: string[] } {
  const commands: string[] = [];
  const run: Run = async words => {
    const command = words.join(' ');
    commands.push(command);
    const [, found] = Object.entries(answers).find(([start]) => command.startsWith(start)) ?? [];
    return { status: found ? 0 : 127, stdout: '', stderr: '', ...found };
  };
  return Object.assign(run, { commands });
}

/** A `note` that keeps what it is told. */
export function fakeNote(): Note & { notes: { verdict: string; detail: string; remedy: string }[] } {
  const notes: { verdict: string; detail: string; remedy: string }[] = [];
  const note: Note = (verdict, detail, remedy = '') => {
    notes.push({ verdict, detail, remedy });
  };
  return Object.assign(note, { notes });
}

/** Something to wait for, and what ends it. */
export function signal<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve = (_: T) => {};
  const promise = new Promise<T>(done => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Makes the output a terminal of that width, or none, and the time stand still. @returns what is written to it */
export function outputTo(isTTY: boolean, columns = 80): string[] {
  const written: string[] = [];
  Object.assign(process.stdout, { isTTY, columns });
  vi.spyOn(process.stdout, 'write').mockImplementation(text => written.push(String(text)) > 0);
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  return written;
}

/** What a script prints from here on, to both streams. */
export function captureOutput(): () => string {
  const lines: string[] = [];
  for (const stream of ['log', 'error'] as const) {
    vi.spyOn(console, stream).mockImplementation((...words) => {
      lines.push(words.join(' '));
    });
  }
  return () => lines.join('\n');
}
