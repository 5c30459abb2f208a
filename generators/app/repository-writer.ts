import { existsSync, type Stats } from 'node:fs';
import { basename, join, relative } from 'node:path';
import type Generator from 'yeoman-generator';
import { type Engine, lookAtEngine } from '../common/engine.ts';
import { usable } from './answers.ts';
import { filesOf } from './files.ts';
import { changeSteps, engineWarning, nextSteps } from './next-steps.ts';
import { planRepository, type RunnerRepository } from './plan.ts';
import type { Answers } from './questions.ts';
import { render } from './render.ts';
import { completeRunners, type TypedRunners } from './runners.ts';
import { filesFollow, loadAnswers, planOf, type Saved, saveAnswers } from './saved-answers.ts';
import { differing, requireWayToWrite, type WriteOptions } from './write-rules.ts';

/** The repository in one folder: what was answered there before, and how a new one is written over it. */
export class RepositoryWriter {
  readonly folder: string;
  readonly saved: Saved;
  /** The text of each file, by its path in the repository. */
  readonly #wanted = new Map<string, string>();
  #engine: Promise<Engine | undefined> | undefined;

  /** @throws Refusal if the answers of an earlier run cannot be read */
  constructor(folder: string) {
    this.folder = folder;
    this.saved = loadAnswers(folder);
  }

  /** Whether anything was answered there before. */
  get isNew(): boolean {
    return Object.keys(this.saved.answers).length === 0;
  }

  /** The local engine, if one answers; asked once. */
  get engine(): Promise<Engine | undefined> {
    this.#engine ??= lookAtEngine();
    return this.#engine;
  }

  /** Tells the user of the local engine, before they choose an image. */
  async announceEngine(generator: Generator): Promise<Engine | undefined> {
    const engine = await this.engine;
    if (engine) {
      const { version, minApiVersion, apiVersion } = engine;
      generator.log(
        `The local Docker Engine is ${version}; it speaks API ${minApiVersion} to ${apiVersion}.`,
      );
    }
    return engine;
  }

  /** @throws Refusal if the runners do not go together */
  plan(answers: Answers, runners: TypedRunners): RunnerRepository {
    return planRepository(answers, basename(this.folder), completeRunners(answers, runners));
  }

  /**
   * Hands the files over to Yeoman, which shows each difference and writes them.
   * @throws Refusal if that cannot go well
   */
  write(generator: Generator, repository: RunnerRepository, rules: WriteOptions): void {
    const files = filesOf(repository);
    for (const file of files) this.#wanted.set(file.path, render(file, repository));
    requireWayToWrite(this.folder, this.#wanted, rules);
    for (const { path, executable } of files) {
      const destination = join(this.folder, path);
      // A file that exists keeps its mode.
      const stat = executable && !existsSync(destination) ? { stat: { mode: 0o755 } as Stats } : {};
      generator.fs.write(destination, this.#wanted.get(path) ?? '', stat);
    }
  }

  /** Once all is written: saves the answers, and says what comes next. */
  async finish(
    generator: Generator,
    repository: RunnerRepository,
    answers: Answers,
    runners: TypedRunners,
  ): Promise<void> {
    const before = this.isNew
      ? undefined
      : planOf({ ...this.saved, answers: usable(this.saved.answers) }, basename(this.folder));
    const kept = differing(this.folder, this.#wanted);
    if (filesFollow(repository, this.isNew ? 'nothing' : before, kept)) {
      saveAnswers(this.folder, answers, runners);
    } else {
      generator.log(
        `Your answers were not saved, because ${kept.join(', ')} kept what earlier answers gave.`,
      );
    }
    const engine = await this.engine;
    const warnings = repository.runners.flatMap(
      ({ builder, executor }) =>
        (engine && engineWarning(engine, { builder, dockerImage: executor.image })) ?? [],
    );
    for (const warning of new Set(warnings)) generator.log(`\n${warning}`);
    const exists = (path: string) => existsSync(join(this.folder, path));
    const steps = before ? changeSteps(before, repository, exists) : [];
    if (steps.length > 0) generator.log('\nChanged since the last time:');
    for (const step of steps) generator.log(`  ${step}`);
    generator.log('\nNext:');
    const directory = relative(generator.contextRoot, this.folder);
    for (const command of nextSteps(directory, exists('config/config.toml'))) generator.log(`  ${command}`);
  }
}
