import { existsSync, type Stats } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import Generator from 'yeoman-generator';
import { type Engine, lookAtEngine } from '../common/engine.ts';
import { completeAnswers, reconsider, refuseIdle } from './answers.ts';
import { type CommandLine, readCommandLine } from './command-line.ts';
import { filesOf } from './files.ts';
import { changeSteps, engineWarning, nextSteps } from './next-steps.ts';
import { planRepository, type RunnerRepository } from './plan.ts';
import { prompts } from './prompts.ts';
import {
  type AnswerName,
  type Answers,
  answerNames,
  asTyped,
  questions,
  type TypedAnswers,
} from './questions.ts';
import { render, templates } from './render.ts';
import { filesFollow, loadAnswers, planOf, saveAnswers } from './saved-answers.ts';
import { defaultsInWords } from './usage.ts';
import { differing, requireWayToWrite } from './write-rules.ts';

/** What Yeoman hands over, beside the options that were typed. */
interface Options {
  readonly env: { readonly cwd: string };
  readonly help?: boolean;
  readonly destinationRoot?: string;
  readonly [option: string]: unknown;
}

/** Asks what the repository should be, and writes it. */
export default class GitLabRunnerDocker extends Generator {
  readonly #commandLine: CommandLine;
  /** Where the repository goes. Yeoman's own `destinationRoot` would create it before anything is checked. */
  readonly #folder: string;
  readonly #saved: TypedAnswers;
  #engine: Promise<Engine | undefined> = Promise.resolve(undefined);
  #answers!: Answers;
  #repository!: RunnerRepository;
  /** The text of each file, by its path in the repository. */
  readonly #wanted = new Map<string, string>();

  constructor(args: string[], options: Options) {
    const { help, env, destinationRoot = env.cwd } = options;
    const commandLine = help
      ? readCommandLine([], {}, [])
      : readCommandLine(args, options, process.argv.slice(2));
    const folder = resolve(destinationRoot, commandLine.directory ?? '');
    // Yeoman reads .yo-rc.json too, and has less to say where it cannot.
    const saved = help ? {} : loadAnswers(folder);

    super(args, options as never, { customInstallTask: true } as never);
    this.#commandLine = commandLine;
    this.#folder = folder;
    this.#saved = saved;
    this.description = 'Writes a repository that runs a self-hosted GitLab Runner in a container.';
    this.sourceRoot(templates);
    // Yeoman announces an error in a line of its own, before whoever runs the generator prints the sentence.
    if (!help) this.log.error = () => this.log;
    this.argument('directory', {
      type: String,
      required: false,
      description: 'Where to write it (default: here)',
    });
    for (const name of answerNames) {
      const { option, help, yesNo } = questions[name];
      const description = `${help} (default: ${defaultsInWords(name)})`;
      this.option(option, { type: yesNo ? Boolean : String, description });
    }
    this.option('defaults', {
      type: Boolean,
      description: 'Ask nothing; what no option gives takes its default',
    });
  }

  initializing(): void {
    this.#engine = lookAtEngine();
  }

  async prompting(): Promise<void> {
    const { asks, given } = this.#commandLine;
    const typed: TypedAnswers = { ...reconsider(this.#saved, given.builder), ...given };
    if (asks) {
      const engine = await this.#engine;
      if (engine) {
        const { version, minApiVersion, apiVersion } = engine;
        this.log(`The local Docker Engine is ${version}; it speaks API ${minApiVersion} to ${apiVersion}.`);
      }
      const answered: Partial<Record<AnswerName, string | boolean>> = await this.prompt(
        prompts(this.#saved, given, engine) as never,
      );
      for (const name of answerNames) {
        const value = answered[name];
        if (value !== undefined) typed[name] = asTyped(name, value);
      }
    }
    this.#answers = completeAnswers(typed);
    refuseIdle(given, this.#answers);
    this.#repository = planRepository(this.#answers, basename(this.#folder));
  }

  writing(): void {
    const files = filesOf(this.#repository);
    for (const file of files) this.#wanted.set(file.path, render(file, this.#repository));
    requireWayToWrite(this.#folder, this.#wanted, this.#commandLine);
    for (const { path, executable } of files) {
      const destination = join(this.#folder, path);
      // A file that exists keeps its mode.
      const stat = executable && !existsSync(destination) ? { stat: { mode: 0o755 } as Stats } : {};
      this.fs.write(destination, this.#wanted.get(path) ?? '', stat);
    }
  }

  async end(): Promise<void> {
    if (this.#commandLine.dryRun) return;
    const kept = differing(this.#folder, this.#wanted);
    if (filesFollow(this.#answers, this.#saved, kept, basename(this.#folder))) {
      saveAnswers(this.#folder, this.#answers);
    } else {
      this.log(`Your answers were not saved, because ${kept.join(', ')} kept what earlier answers gave.`);
    }
    const engine = await this.#engine;
    const warning = engine && engineWarning(engine, this.#answers);
    if (warning) this.log(`\n${warning}`);
    const before =
      Object.keys(this.#saved).length > 0 ? planOf(this.#saved, basename(this.#folder)) : undefined;
    const exists = (path: string) => existsSync(join(this.#folder, path));
    const steps = before ? changeSteps(before, this.#repository, exists) : [];
    if (steps.length > 0) this.log('\nChanged since the last time:');
    for (const step of steps) this.log(`  ${step}`);
    this.log('\nNext:');
    const directory = relative(this.contextRoot, this.#folder);
    for (const command of nextSteps(directory, exists('config/config.toml'))) this.log(`  ${command}`);
  }
}
