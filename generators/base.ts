import { basename, resolve } from 'node:path';
import Generator from 'yeoman-generator';
import { type CommandLine, declareOptions, outliveReaders, readCommandLine } from './ask/command-line.ts';
import { sentenceAgainst } from './ask/prompts.ts';
import type { Answers, Question } from './ask/questions.ts';
import { Refusal } from './ask/refusal.ts';
import { completeRunners, type TypedRunners } from './ask/runners.ts';
import { type Engine, lookAtEngine } from './plan/engine.ts';
import { planRepository } from './plan/plan.ts';
import { templates } from './write/render.ts';
import { RepositoryWriter } from './write/repository-writer.ts';
import { settle } from './write/transaction.ts';

/** What Yeoman hands over, beside the options that were typed. */
export interface Options {
  readonly env: { readonly cwd: string };
  readonly help?: boolean;
  readonly destinationRoot?: string;
  readonly [option: string]: unknown;
}

/** What one door of this package asks, and how it shows itself in --help. */
export interface Door<Name extends string> {
  readonly description: string;
  readonly questions: Readonly<Record<Name, Question<unknown>>>;
  readonly defaultInWords: (name: Name) => string;
  /** The word that is no option. */
  readonly word: 'directory' | 'name';
  readonly wordHelp: string;
}

/** What both generators do: read the command line, and write once the answers are known. */
export abstract class BaseGenerator<Name extends string> extends Generator {
  protected readonly commandLine: CommandLine<Name>;
  protected readonly writer: RepositoryWriter;
  readonly #engine: Promise<Engine | undefined>;

  constructor(args: string[], options: Options, door: Door<Name>) {
    const { help = false, env, destinationRoot = env.cwd } = options;
    const { questions, word } = door;
    const commandLine = help
      ? readCommandLine(questions, word, [], {}, [])
      : readCommandLine(questions, word, args, options, process.argv.slice(2));
    const directory = word === 'directory' ? (commandLine.argument ?? '') : '';
    // Yeoman's own `destinationRoot` would create the folder before anything is checked. It reads .yo-rc.json
    // too, and has less to say where it cannot.
    const folder = resolve(destinationRoot, directory);
    const settled = help ? undefined : settle(folder, !commandLine.dryRun);
    const writer = new RepositoryWriter(folder);

    super(args, options as never, { customInstallTask: true } as never);
    this.commandLine = commandLine;
    this.writer = writer;
    this.#engine = help ? Promise.resolve(undefined) : lookAtEngine();
    this.description = door.description;
    this.sourceRoot(templates);
    this.argument(word, { type: String, required: false, description: door.wordHelp });
    const { _options: shown } = this as unknown as { _options: Record<string, unknown> };
    const ofYeoman = Object.entries(shown);
    for (const [name] of ofYeoman) delete shown[name];
    declareOptions(this, questions, door.defaultInWords);
    // --help shows them in this order.
    Object.assign(shown, Object.fromEntries(ofYeoman));
    outliveReaders();
    // Yeoman announces an error in a line of its own, before whoever runs the generator prints the sentence.
    if (!help) this.log.error = () => this.log;
    if (settled) this.log(settled);
  }

  /** Yeoman's own reads the package.json of the folder, and ends where that is malformed. */
  override determineAppname(): string {
    return basename(this.destinationRoot());
  }

  /** Tells the user of the local engine, before they choose an image. */
  protected async announceEngine(): Promise<Engine | undefined> {
    const engine = await this.#engine;
    if (engine) {
      const { version, minApiVersion, apiVersion } = engine;
      this.log(`The local Docker Engine is ${version}; it speaks API ${minApiVersion} to ${apiVersion}.`);
    }
    return engine;
  }

  /** Asks for one text. */
  protected async askText(
    name: string,
    message: string,
    byDefault: string | undefined,
    check: (text: string) => unknown,
  ): Promise<string> {
    const validate = (text: string) => sentenceAgainst(check, text);
    const question = { type: 'input', name, message, default: byDefault, validate };
    const answers: Record<string, string> = await this.prompt([question] as never);
    return answers[name] ?? '';
  }

  /**
   * Writes the repository that those answers describe, and says what comes next.
   * @throws Refusal if that cannot go well: nothing is written then; or if the owner has still something to decide
   */
  protected async writeRepository(answers: Answers, runners: TypedRunners): Promise<void> {
    const { asks, force, dryRun } = this.commandLine;
    const { folder, saved } = this.writer;
    if (saved.gone.length > 0) {
      this.log(
        `Not used any more, of the answers in .yo-rc.json: ${saved.gone.join(', ')}. README.md says what there is instead.`,
      );
    }
    const repository = planRepository(answers, basename(folder), completeRunners(answers, runners));
    const undecided = await this.writer.write(repository, [answers, runners], {
      force,
      dryRun,
      mayWrite: asks ? (question, byDefault) => this.#mayWrite(question, byDefault) : undefined,
      // What would be written is what is asked for then, and goes where it can be kept.
      print: dryRun ? line => console.log(line) : line => void this.log(line),
    });
    const steps = dryRun ? [] : this.writer.steps(repository, this.contextRoot, await this.#engine);
    for (const step of steps) this.log(step);
    if (undecided !== undefined) throw new Refusal(undecided);
  }

  async #mayWrite(message: string, byDefault: boolean): Promise<boolean> {
    const question = { type: 'confirm', name: 'write', message, default: byDefault };
    const { write }: { write?: boolean } = await this.prompt([question] as never);
    return write === true;
  }
}
