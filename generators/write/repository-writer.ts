import { existsSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { Answers } from '../ask/questions.ts';
import { Refusal } from '../ask/refusal.ts';
import type { TypedRunners } from '../ask/runners.ts';
import type { Engine } from '../plan/engine.ts';
import type { RunnerRepository } from '../plan/plan.ts';
import { type Change, changesIn, configPath, isWritten, requireWay } from './changes.ts';
import { filesOf } from './files.ts';
import { readText, replaceFile } from './files-on-disk.ts';
import {
  changeSteps,
  concurrentStep,
  engineWarning,
  nextSteps,
  stepsFrom010,
  type Texts,
} from './next-steps.ts';
import { render } from './render.ts';
import { loadAnswers, planOf, type Saved, saveAnswers, version } from './saved-answers.ts';

/** How a run treats what is there, and whom it can ask. */
export interface Rules {
  readonly force: boolean;
  readonly dryRun: boolean;
  /** Asks whether those files may be replaced; undefined where nobody can be asked. */
  readonly mayReplace: ((paths: readonly string[]) => Promise<boolean>) | undefined;
  readonly print: (line: string) => void;
}

/** The repository in one folder: what was answered there before, and how a new one is written over it. */
export class RepositoryWriter {
  readonly folder: string;
  readonly saved: Saved;
  /** What the answers of the earlier run give; undefined where there was none, or they are no answers any more. */
  readonly #before: { readonly repository: RunnerRepository; readonly texts: Texts } | undefined;

  /** @throws Refusal if the answers of an earlier run cannot be read */
  constructor(folder: string) {
    this.folder = folder;
    this.saved = loadAnswers(folder);
    const repository = planOf(this.saved, basename(folder));
    this.#before = repository && { repository, texts: textsOf(repository) };
  }

  /** Whether anything was answered there before. */
  get isNew(): boolean {
    return Object.keys(this.saved.answers).length === 0;
  }

  /**
   * Writes all files and the answers, in one step once nothing is in the way; says what was done.
   *
   * @throws Refusal if that cannot go well: nothing is written then
   */
  async write(
    repository: RunnerRepository,
    [answers, runners]: readonly [Answers, TypedRunners],
    rules: Rules,
  ): Promise<void> {
    const base = {
      texts: this.#before?.texts ?? new Map(),
      isOfOtherVersion: this.saved.version !== version,
    };
    const changes = changesIn(this.folder, textsOf(repository), base);
    this.#requireAgreement(changes, rules);
    const lines = changes.flatMap(change => describe(change, rules.dryRun));
    if (!rules.dryRun) {
      requireWay(this.folder, changes);
      await requireConsent(changes, rules);
      const executables = new Set(filesOf(repository).flatMap(file => (file.executable ? [file.path] : [])));
      for (const { path, text } of changes.filter(isWritten)) {
        replaceFile(join(this.folder, path), text, executables.has(path));
      }
      saveAnswers(this.folder, answers, runners);
    }
    for (const line of lines) rules.print(line);
  }

  /** @throws Refusal if the owner's changes and the new ones do not go together, and nobody said which counts */
  #requireAgreement(changes: readonly Change[], { force, print }: Rules): void {
    const paths = changes.filter(({ conflicts }) => conflicts.length > 0).map(({ path }) => path);
    if (paths.length === 0 || force) return;
    for (const line of changes.flatMap(conflictLines)) print(line);
    const why =
      this.saved.version === version
        ? 'you and the new answers changed the same lines'
        : `version ${this.saved.version ?? '0.1.0'} of this generator wrote them, so what you changed is not known`;
    throw new Refusal(
      `Nothing was written, for ${why}: ${paths.join(', ')}. Commit what you have, run again with --force, which takes the new lines, and look at "git diff".`,
    );
  }

  /** What the owner does next, in lines. */
  steps(repository: RunnerRepository, contextRoot: string, engine: Engine | undefined): string[] {
    const after = { repository, texts: textsOf(repository) };
    const exists = (path: string) => existsSync(join(this.folder, path));
    const warnings = repository.runners.flatMap(
      ({ builder, executor }) =>
        (engine && engineWarning(engine, { builder, dockerImage: executor.image })) ?? [],
    );
    const isOld = !this.isNew && this.saved.version === undefined;
    const steps = [
      ...(this.#before ? changeSteps(this.#before, after, exists) : []),
      ...(isOld ? stepsFrom010(exists) : []),
    ];
    const added = this.#before && repository.runners.length > this.#before.repository.runners.length;
    const surroundings = {
      directory: relative(contextRoot, this.folder),
      isInGit: isInGit(this.folder),
      isRegistered: /^RUNNER_TOKEN=\S/m.test(this.#environment()),
      exists,
    };
    return [
      ...[...new Set(warnings)].flatMap(warning => ['', warning]),
      ...(steps.length > 0 ? ['', 'Changed since the last time:', ...steps.map(step => `  ${step}`)] : []),
      ...(added ? ['', concurrentStep(repository.runners.length, this.#concurrent())] : []),
      ...['', 'Next:', ...nextSteps(repository, after.texts, surroundings).map(step => `  ${step}`)],
    ];
  }

  #concurrent(): string | undefined {
    return /^concurrent\s*=\s*(\d+)/m.exec(readText(join(this.folder, configPath)) ?? '')?.[1];
  }

  /** The text of .env; one that is closed to this user has a token. */
  #environment(): string {
    try {
      return readText(join(this.folder, '.env')) ?? '';
    } catch {
      return 'RUNNER_TOKEN=closed';
    }
  }
}

const textsByRepository = new WeakMap<RunnerRepository, Texts>();

/** The text of each file, rendered once: what is written is compared, and read again for the next steps. */
function textsOf(repository: RunnerRepository): Texts {
  const known = textsByRepository.get(repository);
  if (known) return known;
  const texts = new Map(filesOf(repository).map(file => [file.path, render(file, repository)]));
  textsByRepository.set(repository, texts);
  return texts;
}

function isInGit(folder: string): boolean {
  return existsSync(join(folder, '.git')) || (dirname(folder) !== folder && isInGit(dirname(folder)));
}

const words: Readonly<Record<Change['kind'], string>> = {
  create: 'create',
  change: 'change',
  merge: 'merge',
  same: '',
  kept: 'keep',
  deleted: 'leave out',
  foreign: 'replace',
};

const notes: Partial<Record<Change['kind'], string>> = {
  merge: ': your changes and the new ones',
  kept: ': your changes, nothing new',
  deleted: ': you took it away',
};

/** What happens to a file, in lines; in a dry run with the lines that go and come. */
function describe({ path, kind, before = '', text }: Change, isDryRun: boolean): string[] {
  if (kind === 'same') return [];
  const lines = [`  ${words[kind]} ${path}${notes[kind] ?? ''}`];
  if (!isDryRun || !['change', 'merge', 'foreign'].includes(kind)) return lines;
  const [old, now] = [before.split('\n'), text.split('\n')];
  return [
    ...lines,
    ...old.filter(line => !now.includes(line)).map(line => `      - ${line}`),
    ...now.filter(line => !old.includes(line)).map(line => `      + ${line}`),
  ];
}

function conflictLines({ path, conflicts }: Change): string[] {
  const some = (sign: string, lines: readonly string[]) => [
    ...lines.slice(0, 5).map(line => `      ${sign} ${line}`),
    ...(lines.length > 5 ? [`      ${sign} ... ${lines.length - 5} more lines`] : []),
  ];
  return conflicts.flatMap(({ line, owner, generated }) => [
    `  conflict ${path}, line ${line}:`,
    ...some('yours:', owner),
    ...some('new:  ', generated),
  ]);
}

/** @throws Refusal if files that are not of this generator would be replaced, and nobody agreed */
async function requireConsent(changes: readonly Change[], { force, mayReplace }: Rules): Promise<void> {
  const paths = changes.filter(({ kind }) => kind === 'foreign').map(({ path }) => path);
  if (paths.length === 0 || force) return;
  if (mayReplace === undefined) {
    throw new Refusal(
      `Nothing was written: ${paths.join(', ')} ${paths.length > 1 ? 'are' : 'is'} there already, and not of this generator. Move away what you need, or run with --force to replace all of it.`,
    );
  }
  if (!(await mayReplace(paths))) throw new Refusal('Nothing was written.');
}
