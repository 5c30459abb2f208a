import { resolve } from 'node:path';
import { type CommandLine, readCommandLine, type Word } from './ask/command-line.ts';
import type { Commands } from './ask/commands.ts';
import { type Answered, type Prompt, sentenceAgainst } from './ask/prompts.ts';
import type { Answers, Question } from './ask/questions.ts';
import { Refusal } from './ask/refusal.ts';
import { completeRunners, type TypedRunners } from './ask/runners.ts';
import { type Engine, lookAtEngine } from './plan/engine.ts';
import { planRepository, type RunnerRepository } from './plan/plan.ts';
import { requireFolder } from './write/files-on-disk.ts';
import { type Additions, RepositoryWriter } from './write/repository-writer.ts';
import { settle } from './write/transaction.ts';
import { columnsOf, fitted, wrapped } from './write/wrapped.ts';

/** Whom a run talks with: a terminal of its own, or Yeoman's. */
export interface Dialogue {
  /** Asks, one after the other, what comes up; the answers are by the names of the prompts. */
  readonly ask: (prompts: readonly Prompt[]) => Promise<Answered>;
  readonly print: (line: string) => void;
}

/** What one door of this package asks, how it shows itself in --help, and what it makes of the answers. */
export interface Door<Name extends string> {
  readonly description: string;
  readonly questions: Readonly<Record<Name, Question<unknown>>>;
  readonly defaultInWords: (name: Name) => string;
  /** The word that is no option. */
  readonly word: Word;
  readonly wordHelp: string;
  /**
   * Finds out what the repository is to be: from options, from the run before, and by asking. What writes no repository
   * does its work, and returns undefined.
   * @throws Refusal if that cannot be
   */
  readonly decide: (scaffold: Scaffold<Name>) => Promise<Decision | undefined>;
}

/** All answers of a repository, those of its further runners, and what an older runner has beyond them. */
export type Decision = readonly [Answers, TypedRunners, ((repository: RunnerRepository) => Additions)?];

/** What was typed, as its reader hands it over: see readCommandLine. */
export interface Request {
  readonly args: readonly unknown[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly words: readonly string[];
  /** Where the command was given. */
  readonly cwd: string;
  /** What the user would type to call it again. */
  readonly commands: Commands;
  /** The folder of the repository, where no directory is named; without this, cwd. */
  readonly destinationRoot?: string;
}

/** Runs the doctor of that repository in this terminal. What it finds is for whoever sits there. */
async function runDoctor(folder: string): Promise<void> {
  const { spawn } = await import('node:child_process');
  return new Promise(resolve => {
    const child = spawn('make', ['doctor'], { cwd: folder, stdio: 'inherit' });
    child.once('error', error => console.error(`make doctor could not be run: ${error.message}`));
    child.once('close', () => resolve());
  });
}

/** The prompt with what it says of a choice, and against an answer, in lines that fit. */
function fitting(prompt: Prompt, columns: number): Prompt {
  const { choices, validate } = prompt;
  const fit = (text: string, indent = 0) => wrapped(text, columns - indent).join('\n');
  return {
    ...prompt,
    ...(choices && {
      choices: answered =>
        choices(answered).map(({ description, ...choice }) =>
          description === undefined ? choice : { ...choice, description: fit(description) },
        ),
    }),
    ...(validate && {
      validate: (typed, answered) => {
        const said = validate(typed, answered);
        // Inquirer puts two characters before it.
        return said === true ? true : fit(said, 2);
      },
    }),
  };
}

/** The one way from a command line to files: whoever calls it says how to ask and to print. */
export class Scaffold<Name extends string> {
  readonly commandLine: CommandLine<Name>;
  /** Known once it is being decided what to write. */
  writer!: RepositoryWriter;
  readonly #folder: string;
  readonly #door: Door<Name>;
  /** Where the command was given. */
  readonly cwd: string;
  /** What the user would type to call it again. */
  readonly commands: Commands;
  readonly #dialogue: Dialogue;
  #engine: Promise<Engine | undefined> | undefined;
  #decision: Decision | undefined;

  /** @throws Refusal if an option cannot be used */
  constructor(door: Door<Name>, request: Request, dialogue: Dialogue) {
    const { args, options, words, cwd, destinationRoot = cwd } = request;
    this.commandLine = readCommandLine(door.questions, door.word, args, options, words);
    const directory = door.word === 'directory' ? (this.commandLine.argument ?? '') : '';
    this.#folder = resolve(destinationRoot, directory);
    this.#door = door;
    this.cwd = cwd;
    this.commands = request.commands;
    this.#dialogue = dialogue;
  }

  /**
   * Ends what an earlier run left half done, reads what was answered then, and asks what is open, where there is
   * somebody to ask.
   *
   * @throws Refusal if the answers cannot be read, or used
   */
  async decide(): Promise<void> {
    const { dryRun, printsAnswers } = this.commandLine;
    requireFolder(this.#folder);
    const without = printsAnswers ? '--print-answers' : '--dry-run';
    const settled = settle(this.#folder, dryRun || printsAnswers ? { without } : true);
    if (settled) this.#dialogue.print(settled);
    this.writer = new RepositoryWriter(this.#folder);
    this.#decision = await this.#door.decide(this);
  }

  /**
   * Writes what was decided, and says what comes next.
   * @throws Refusal if that cannot go well: nothing is written then; or if the owner has still something to decide
   */
  async write(): Promise<void> {
    if (!this.#decision) return;
    const [answers, runners, addTo] = this.#decision;
    const { asks, force, dryRun, printsAnswers } = this.commandLine;
    if (printsAnswers) {
      const { writeAnswers } = await import('./ask/answers-file.ts');
      return void process.stdout.write(writeAnswers(answers));
    }
    // It answers while the files are worked out.
    const looking = this.#lookAtEngine();
    const print = (line: string) => this.report(line);
    const { saved, name } = this.writer;
    if (saved.gone.length > 0) {
      print(
        `Not used any more, of the answers in .yo-rc.json: ${saved.gone.join(', ')}. CHANGELOG.md of this package says what there is instead.`,
      );
    }
    const repository = planRepository(answers, name, completeRunners(answers, runners));
    const mayWrite = asks
      ? (question: string, byDefault: boolean) => this.#mayWrite(question, byDefault)
      : undefined;
    const rules = { force, dryRun, mayWrite, print, columns: this.#columns };
    const added = addTo?.(repository);
    const undecided = await this.writer.write(repository, [answers, runners], rules, added);
    const engine = await looking;
    const isExamined = asks && !dryRun && undecided === undefined && (await this.#examine(engine));
    const steps = dryRun ? [] : this.writer.steps(repository, this.cwd, engine, isExamined);
    for (const step of steps) this.report(step);
    if (undecided !== undefined) throw new Refusal(undecided);
  }

  /** Asks the engine once, and not at all where nobody wants to know of it. */
  #lookAtEngine(): Promise<Engine | undefined> {
    this.#engine ??= lookAtEngine();
    return this.#engine;
  }

  /** Tells the user of the local engine, before they choose an image. */
  async announceEngine(): Promise<Engine | undefined> {
    const engine = await this.#lookAtEngine();
    if (engine) {
      const { version, minApiVersion, apiVersion } = engine;
      this.#dialogue.print(
        `The local Docker Engine is ${version}; it speaks API ${minApiVersion} to ${apiVersion}.`,
      );
    }
    return engine;
  }

  /** Prints what the run writes. A dry run is there for that: it goes to stdout, where it can be kept. */
  report(line: string): void {
    if (this.commandLine.dryRun) console.log(line);
    else for (const part of fitted(line, this.#columns)) this.#dialogue.print(part);
  }

  ask(prompts: readonly Prompt[]): Promise<Answered> {
    return this.#dialogue.ask(prompts.map(prompt => fitting(prompt, this.#columns)));
  }

  /** Characters of a line in the terminal; a dry run goes to stdout, and is not broken. */
  get #columns(): number {
    return this.commandLine.dryRun ? Number.POSITIVE_INFINITY : columnsOf(process.stderr);
  }

  /** Asks for one text. */
  async askText(
    name: string,
    message: string,
    byDefault: string | undefined,
    check: (text: string) => unknown,
  ): Promise<string> {
    const validate = (text: string) => sentenceAgainst(check, text);
    const answers = await this.ask([{ type: 'input', name, message, default: byDefault, validate }]);
    return String(answers[name] ?? '');
  }

  /** Offers to run the doctor of a new repository, where an engine is here that it could look at. */
  async #examine(engine: Engine | undefined): Promise<boolean> {
    if (!this.writer.isNew || engine === undefined) return false;
    const message = 'Run "make doctor", which says what would fail here?';
    const { doctor } = await this.ask([{ type: 'confirm', name: 'doctor', message, default: true }]);
    if (doctor === true) await runDoctor(this.writer.folder);
    return doctor === true;
  }

  async #mayWrite(message: string, byDefault: boolean): Promise<boolean> {
    const { write } = await this.ask([{ type: 'confirm', name: 'write', message, default: byDefault }]);
    return write === true;
  }
}
