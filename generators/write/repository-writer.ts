import { existsSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { Answers } from '../ask/questions.ts';
import { Refusal } from '../ask/refusal.ts';
import type { TypedRunners } from '../ask/runners.ts';
import { type Engine, isBelow } from '../plan/engine.ts';
import type { RunnerRepository } from '../plan/plan.ts';
import {
  type AllWritten,
  type Change,
  changesIn,
  configPath,
  type Earlier,
  isWritten,
  requireWay,
} from './changes.ts';
import { filesOf } from './files.ts';
import { readText } from './files-on-disk.ts';
import { formOf } from './form.ts';
import { blobId, textInGit } from './git.ts';
import { type LeftBehind, leftBehind } from './left-behind.ts';
import {
  changeSteps,
  concurrentStep,
  engineWarning,
  nextSteps,
  stepsFrom010,
  type Texts,
} from './next-steps.ts';
import { render } from './render.ts';
import { generatorVersion, loadAnswers, planOf, type Saved, savedText, storeName } from './saved-answers.ts';
import { lossesOf, summary, unresolved } from './summary.ts';
import { Stopped, type Write, writeUnstopped } from './transaction.ts';

/** How a run treats what is there, and whom it can ask. */
interface Rules {
  readonly force: boolean;
  readonly dryRun: boolean;
  /** Asks whether to write what the summary says, with that answer by default; undefined where nobody can be asked. */
  readonly mayWrite: ((question: string, byDefault: boolean) => Promise<boolean>) | undefined;
  readonly print: (line: string) => void;
  /** Characters of a line of the terminal; undefined where there is none. */
  readonly columns?: number;
}

/** What a run writes beyond what the answers say: it counts as edited by the owner from then on. */
export interface Additions {
  /** Whole texts of some of the files, by their paths. */
  readonly texts: ReadonlyMap<string, string>;
  /** The text of .env, which holds secrets. */
  readonly environment: string;
  /** What its owner has to know of it. */
  readonly lines: readonly string[];
}

/** A diff of a file. What makes it is loaded here: few runs show one. */
async function diffOf(...file: Parameters<typeof import('./unified-diff.ts').diff>): Promise<string> {
  return (await import('./unified-diff.ts')).diff(...file);
}

/** The repository in one folder: what was answered there before, and how a new one is written over it. */
export class RepositoryWriter {
  readonly folder: string;
  readonly saved: Saved;
  /** What the answers of the earlier run give; undefined where there was none, or they are no answers any more. */
  readonly #before: { readonly repository: RunnerRepository; readonly texts: Texts } | undefined;
  /** Files that are not used any more, and stay. */
  #unused: readonly string[] = [];
  /** What --force took away of the owner's, in a sentence. */
  #lost: string | undefined;
  /** What goes on running where this run looks no more. */
  #left: readonly LeftBehind[] = [];

  /** @throws Refusal if the answers of an earlier run cannot be read */
  constructor(folder: string) {
    this.folder = folder;
    this.saved = loadAnswers(folder);
    const repository = planOf(this.saved, this.name);
    this.#before = repository && { repository, texts: textsOf(repository) };
  }

  /** What the repository goes by: a clone in a folder of another name is the same runner. */
  get name(): string {
    return this.saved.name ?? basename(this.folder);
  }

  /** Whether anything was answered there before. */
  get isNew(): boolean {
    return Object.keys(this.saved.answers).length === 0;
  }

  /**
   * Works everything out, shows it, asks once where somebody can be asked, and writes all files and the answers, or
   * nothing.
   *
   * @returns what the owner has still to decide, in a sentence; undefined where nothing is left
   * @throws Refusal if that cannot go well, or is not wanted: nothing is written then
   * @throws Stopped if a signal came while it wrote: all is written then
   */
  async write(
    repository: RunnerRepository,
    [answers, runners]: readonly [Answers, TypedRunners],
    rules: Rules,
    additions?: Additions,
  ): Promise<string | undefined> {
    const { dryRun, force, print } = rules;
    if (!force) this.#requireNoNewer();
    const texts = textsOf(repository);
    const changes = await changesIn(this.folder, texts, this.#earlier(force));
    this.#requireKnown(changes);
    this.#unused = changes.flatMap(({ kind, place }) => (kind === 'unused' ? [place] : []));
    const store = savedText(this.folder, repository.composeProject, answers, runners, writtenBy(changes));
    if (!dryRun) await requireWay(this.folder, changes);
    if (!dryRun) requireRight(changes, rules);
    const before = this.#before?.repository;
    this.#left = leftBehind(before, repository, changes, this.#environment());
    const repositories = { before, after: repository, left: this.#left };
    for (const line of summary(this.folder, changes, repositories, rules)) print(line);
    for (const { kind, path, place, before = '' } of changes) {
      if (kind === 'unknown') print(await diffOf(place, before, formOf(before).give(texts.get(path) ?? '')));
    }
    const { shown, sentence } = lossesOf(this.folder, changes);
    // The diff of a dry run shows them.
    for (const line of dryRun ? [] : shown) print(line);
    this.#lost = sentence;
    if (additions) this.#requireNoEnvironment();
    for (const line of additions ? ['', ...additions.lines, ''] : []) print(line);
    const writes: Write[] = [
      ...writesOf(repository, changes).map(write => ({
        ...write,
        after: additions?.texts.get(write.path) ?? write.after,
      })),
      ...(store.before === store.after ? [] : [{ path: storeName, ...store }]),
    ];
    if (dryRun)
      for (const { path, before, after, executable } of writes)
        print(await diffOf(path, before, after, executable));
    else {
      await requireConsent(changes, rules);
      const signal = await writeUnstopped(this.folder, [...writes, ...secretsOf(additions)]);
      if (signal) throw new Stopped(signal, stoppedSentence(unresolved(changes, dryRun)));
    }
    return unresolved(changes, dryRun);
  }

  /** What earlier runs wrote. Before ids were kept, it is what the answers give, in the same version. */
  #earlier(force: boolean): Earlier {
    const texts = this.#before?.texts ?? new Map<string, string>();
    const isSame = this.saved.version === generatorVersion;
    const rendered: AllWritten = new Map(
      [...texts].map(([path, text]) => [path, { id: isSame ? blobId(text) : undefined }]),
    );
    const byId = new Map([...texts.values()].map(text => [blobId(text), text]));
    return {
      written: this.saved.written ?? rendered,
      wanted: this.#before && new Set(texts.keys()),
      textOf: id => byId.get(id) ?? textInGit(this.folder, id),
      force,
    };
  }

  /** @throws Refusal if a newer version wrote the files: this one would undo what that has changed since */
  #requireNoNewer(): void {
    const { version = '0' } = this.saved;
    if (!isBelow(generatorVersion, version)) return;
    throw new Refusal(
      `Nothing was written, for version ${version} of this generator wrote what is there, and this is ${generatorVersion}: update it, or give --force to go back.`,
    );
  }

  /** @throws Refusal if a version that kept no ids wrote the files, and nobody said that they may be replaced */
  #requireKnown(changes: readonly Change[]): void {
    const paths = changes.filter(({ kind }) => kind === 'unknown').map(({ path }) => path);
    if (paths.length === 0 || this.saved.written !== undefined) return;
    throw new Refusal(
      `Nothing was written, for version ${this.saved.version ?? '0.1.0'} of this generator wrote them, so what you changed is not known: ${paths.join(', ')}. Commit what you have, run again with --force, which takes the new lines, and look at "git diff".`,
    );
  }

  /** @throws Refusal if there is a .env: what is in it may be nowhere else */
  #requireNoEnvironment(): void {
    if (!existsSync(join(this.folder, '.env'))) return;
    throw new Refusal(
      `There is a .env in ${this.folder}, which --from would replace: move it away, or name a new folder. Nothing was written.`,
    );
  }

  /** What the owner does next, in lines. @param isExamined whether the doctor was run just now */
  steps(
    repository: RunnerRepository,
    contextRoot: string,
    engine: Engine | undefined,
    isExamined = false,
  ): string[] {
    const after = { repository, texts: textsOf(repository) };
    const exists = (path: string) => existsSync(join(this.folder, path));
    const warnings = repository.runners.flatMap(
      ({ builder, executor: { image: dockerImage } }) =>
        (engine && engineWarning(engine, { executor: repository.executorName, builder, dockerImage })) ?? [],
    );
    const isOld = !this.isNew && this.saved.version === undefined;
    const steps = [
      ...(this.#before ? changeSteps(this.#before, after, this.#unused, this.#left) : []),
      ...(isOld ? stepsFrom010(exists) : []),
    ];
    const added = this.#before && repository.runners.length > this.#before.repository.runners.length;
    const surroundings = {
      directory: relative(contextRoot, this.folder),
      isInGit: isInGit(this.folder),
      isRegistered: /^RUNNER_TOKEN=\S/m.test(this.#environment()),
      isExamined,
      exists,
    };
    const next = nextSteps(repository, after.texts, surroundings);
    const commandOf = (step: string) => step.replace(/ {3}#.*/, '');
    const upcoming = next.map(commandOf);
    // What comes next anyhow, as "make up" of a runner that never was up, is said once.
    const changed = steps.filter(step => !upcoming.includes(commandOf(step)));
    return [
      ...[...new Set(warnings)].flatMap(warning => ['', warning]),
      ...(changed.length > 0
        ? ['', 'Changed since the last time:', ...changed.map(step => `  ${step}`)]
        : []),
      ...(added ? ['', concurrentStep(repository.runners.length, this.#concurrent())] : []),
      ...(next.length > 0 ? ['', 'Next:', ...next.map(step => `  ${step}`)] : []),
      ...(this.#lost === undefined ? [] : ['', this.#lost]),
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

const stoppedSentence = (undecided = '') =>
  `stopped, but only after it had written all of the files above, and .yo-rc.json. ${undecided}`.trimEnd();

const textsByRepository = new WeakMap<RunnerRepository, Texts>();

/** The text of each file, rendered once: what is written is compared, and read again for the next steps. */
function textsOf(repository: RunnerRepository): Texts {
  const known = textsByRepository.get(repository);
  if (known) return known;
  const texts = new Map(filesOf(repository).map(file => [file.path, render(file, repository)]));
  textsByRepository.set(repository, texts);
  return texts;
}

const writtenBy = (changes: readonly Change[]): AllWritten =>
  new Map(changes.flatMap(({ path, written }) => (written ? [[path, written] as const] : [])));

function writesOf(repository: RunnerRepository, changes: readonly Change[]): Write[] {
  const executables = new Set(filesOf(repository).flatMap(file => (file.executable ? [file.path] : [])));
  return changes.filter(isWritten).map(({ path, place, before, text }) => ({
    ...{ path: place, before, after: text, executable: executables.has(path) },
  }));
}

/** No diff shows these, and no summary. */
function secretsOf(additions: Additions | undefined): Write[] {
  if (!additions) return [];
  return [{ path: '.env', before: undefined, after: additions.environment, secret: true }];
}

function isInGit(folder: string): boolean {
  return existsSync(join(folder, '.git')) || (dirname(folder) !== folder && isInGit(dirname(folder)));
}

/** @throws Refusal if files that are not of this generator would be replaced, and nobody can be asked */
function requireRight(changes: readonly Change[], { force, mayWrite }: Rules): void {
  const paths = changes.filter(({ kind }) => kind === 'foreign').map(({ path }) => path);
  if (paths.length === 0 || force || mayWrite) return;
  throw new Refusal(
    `Nothing was written: ${paths.join(', ')} ${paths.length > 1 ? 'are' : 'is'} there already, and not of this generator. Move away what you need, or run with --force to replace all of it.`,
  );
}

/** The one question about what the summary shows. */
export const consentQuestion = 'Write all of this?';

/** @throws Refusal if whoever is asked does not want it */
async function requireConsent(changes: readonly Change[], { force, mayWrite }: Rules): Promise<void> {
  const written = changes.filter(isWritten);
  if (mayWrite === undefined || written.length === 0) return;
  const isSafe = force || written.every(({ kind }) => kind !== 'foreign' && kind !== 'conflict');
  if (!(await mayWrite(consentQuestion, isSafe))) throw new Refusal('Nothing was written.');
}
