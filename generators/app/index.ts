import { createRequire } from 'node:module';
import { basename, join, relative, resolve } from 'node:path';
import Generator from 'yeoman-generator';
import { type Engine, lookAtEngine, refuses } from '../common/engine.ts';
import { readText, requireSpace } from '../common/files-on-disk.ts';
import { refuseUnknownOptions, typedOption } from '../common/options.ts';
import * as quoting from '../common/quoting.ts';
import { Refusal } from '../common/refusal.ts';
import { files, templatePath } from './files.ts';
import { planRepository } from './plan.ts';
import { prompts } from './prompts.ts';
import {
  type AnswerName,
  type Answers,
  answerNames,
  asTyped,
  completeAnswers,
  questions,
} from './questions.ts';
import { filesFollow, loadAnswers, saveAnswers, type TypedAnswers } from './saved-answers.ts';

const packageJson = createRequire(import.meta.url).resolve('generator-gitlab-runner-docker/package.json');

// Options of yo, of Yeoman's environment and of every generator.
const yeomanOptions =
  'ask-answered bail debug dry-run force force-install help ignore-version-check insight local-only skip-cache skip-check-env skip-install skip-yo-resolve version whitespace'.split(
    ' ',
  );

/** Asks what the repository should be, and writes it. */
export default class GitLabRunnerDocker extends Generator {
  readonly #given: TypedAnswers = {};
  #saved: TypedAnswers = {};
  #engine: Promise<Engine | undefined> = Promise.resolve(undefined);
  #answers: Answers | undefined;

  constructor(args: string[], options: ConstructorParameters<typeof Generator>[1]) {
    super(args, options as never, { customInstallTask: true } as never);
    this.description = 'Writes a repository that runs a self-hosted GitLab Runner in a container.';
    this.sourceRoot(join(packageJson, '../templates'));
    this.argument('directory', {
      type: String,
      required: false,
      description: 'Where to write it (default: here)',
    });
    for (const name of answerNames) {
      const { option, help, default: byDefault, yesNo } = questions[name];
      this.option(option, { type: yesNo ? Boolean : String, description: `${help} (default: ${byDefault})` });
    }
    this.option('defaults', {
      type: Boolean,
      description: 'Ask nothing; what no option gives takes its default',
    });
    if (!this.options.help) this.#checkOptions();
  }

  initializing(): void {
    const directory = (this.options as { directory?: string }).directory;
    if (directory !== undefined) this.destinationRoot(resolve(this.contextRoot, String(directory)));
    this.#saved = loadAnswers(this.destinationRoot());
    this.#engine = lookAtEngine();
  }

  async prompting(): Promise<void> {
    const typed: TypedAnswers = { ...this.#saved, ...this.#given };
    if (this.#asks()) {
      const engine = await this.#engine;
      if (engine)
        this.log(
          `The local Docker Engine is ${engine.version}; it speaks API ${engine.minApiVersion} to ${engine.apiVersion}.`,
        );
      const answered = (await this.prompt(prompts(typed, this.#given, engine) as never)) as Record<
        AnswerName,
        string | boolean
      >;
      for (const [name, value] of Object.entries(answered)) typed[name as AnswerName] = asTyped(value);
    }
    this.#answers = completeAnswers(typed);
  }

  async writing(): Promise<void> {
    const repository = planRepository(this.#required(), basename(this.destinationRoot()));
    for (const { path, data } of files) {
      this.fs.copyTpl(this.templatePath(templatePath(path)), this.destinationPath(path), {
        ...quoting,
        ...data?.(repository),
      });
    }
    const differing = this.#differingFiles();
    const { force, bail, dryRun } = this.options as Record<string, unknown>;
    const existing = differing.filter(path => readText(this.destinationPath(path)) !== undefined);
    if (existing.length > 0 && !hasTerminal() && !force && !bail && !dryRun) {
      throw new Refusal(
        `Nothing was written: ${existing.join(', ')} would change. Run again in a terminal to see each difference and choose, or with --force to overwrite.`,
      );
    }
    const bytes = differing.reduce(
      (sum, path) => sum + (this.fs.read(this.destinationPath(path))?.length ?? 0) + 4096,
      0,
    );
    if (!dryRun) requireSpace(this.destinationRoot(), bytes);
  }

  async end(): Promise<void> {
    const answers = this.#required();
    if ((this.options as { dryRun?: boolean }).dryRun) return;
    const name = basename(this.destinationRoot());
    const kept = this.#differingFiles();
    if (filesFollow(answers, this.#saved, kept, name)) saveAnswers(this.destinationRoot(), answers);
    else this.log(`Your answers were not saved, because ${kept.join(', ')} kept what earlier answers gave.`);
    const engine = await this.#engine;
    if (engine && refuses(engine, answers.dockerImage)) {
      this.log(
        `\nThe local Docker Engine (${engine.version}) takes clients from API ${engine.minApiVersion}; ${answers.dockerImage} speaks 1.40 and will be refused. Choose --docker-image docker:cli, or see "make doctor".`,
      );
    }
    const directory = relative(this.contextRoot, this.destinationRoot());
    this.log('\nNext:');
    for (const command of [
      ...(directory ? [`cd ${quoting.shell(directory)}`] : []),
      'make doctor',
      'make register',
      'make up',
    ]) {
      this.log(`  ${command}`);
    }
  }

  /** Takes the options as typed, and refuses what a prompt would refuse too. */
  #checkOptions(): void {
    const commandLine = process.argv.slice(2);
    refuseUnknownOptions(commandLine, [
      ...yeomanOptions,
      'defaults',
      ...answerNames.map(name => questions[name].option),
    ]);
    for (const name of answerNames) {
      const { option, check, yesNo } = questions[name];
      const value =
        (this.options as Record<string, unknown>)[option] ?? (this.options as Record<string, unknown>)[name];
      if (value === undefined) continue;
      try {
        const typed =
          yesNo && typeof value === 'boolean'
            ? value
              ? 'yes'
              : 'no'
            : typedOption(option, value, commandLine);
        check(typed);
        this.#given[name] = typed;
      } catch (error) {
        throw new Refusal(`--${option}: ${(error as Error).message}`);
      }
    }
  }

  #asks(): boolean {
    return hasTerminal() && !(this.options as { defaults?: boolean }).defaults;
  }

  /** Paths of the files whose text on disk is not the one that was rendered. */
  #differingFiles(): string[] {
    return files
      .map(({ path }) => path)
      .filter(path => readText(this.destinationPath(path)) !== this.fs.read(this.destinationPath(path)));
  }

  #required(): Answers {
    if (!this.#answers) throw new Error('The questions were not answered yet.');
    return this.#answers;
  }
}

function hasTerminal(): boolean {
  return Boolean(process.stdin.isTTY && process.stdout.isTTY);
}
