import { basename } from 'node:path';
import Generator from 'yeoman-generator';
import { declareOptions, outliveReaders } from './ask/command-line.ts';
import { yeomanCommands } from './ask/commands.ts';
import type { Answered } from './ask/prompts.ts';
import { type Dialogue, type Door, Scaffold } from './scaffold.ts';
import { templates } from './write/render.ts';

/** What Yeoman hands over, beside the options that were typed. */
export interface Options {
  readonly env: { readonly cwd: string };
  readonly help?: boolean;
  readonly destinationRoot?: string;
  readonly [option: string]: unknown;
}

/** Yeoman says by an option of that name which generator runs; to us it is one of the command line alone. */
function withoutNamespace(options: Options, words: readonly string[]): Options {
  const isTyped = words.some(word => /^--namespace(=|$)/.test(word));
  return isTyped ? options : { ...options, namespace: undefined };
}

/** A door as a generator of Yeoman's, which asks and prints. */
export abstract class BaseGenerator<Name extends string> extends Generator {
  readonly #scaffold: Scaffold<Name>;

  constructor(args: string[], options: Options, door: Door<Name>) {
    const { help = false, env, destinationRoot = env.cwd } = options;
    const words = process.argv.slice(2);
    const typed = help
      ? { args: [], options: {}, words: [] }
      : { args, options: withoutNamespace(options, words), words };
    const dialogue: Dialogue = {
      ask: prompts => this.prompt(prompts as never) as Promise<Answered>,
      print: line => void this.log(line),
    };
    // Yeoman's own `destinationRoot` would create the folder before anything is checked. It reads .yo-rc.json
    // too, and has less to say where it cannot.
    const scaffold = new Scaffold(
      door,
      { ...typed, cwd: env.cwd, commands: yeomanCommands, destinationRoot },
      dialogue,
    );

    super(args, options as never, { customInstallTask: true, inheritTasks: true } as never);
    this.#scaffold = scaffold;
    this.description = door.description;
    this.sourceRoot(templates);
    this.argument(door.word, { type: String, required: false, description: door.wordHelp });
    const { _options: shown } = this as unknown as { _options: Record<string, unknown> };
    const ofYeoman = Object.entries(shown);
    for (const [name] of ofYeoman) delete shown[name];
    declareOptions(this, door.word, door.questions, door.defaultInWords);
    // --help shows them in this order.
    Object.assign(shown, Object.fromEntries(ofYeoman));
    outliveReaders();
    // Yeoman announces an error in a line of its own, before whoever runs the generator prints the sentence.
    if (!help) this.log.error = () => this.log;
  }

  /** Yeoman's own reads the package.json of the folder, and ends where that is malformed. */
  override determineAppname(): string {
    return basename(this.destinationRoot());
  }

  prompting(): Promise<void> {
    return this.#scaffold.decide();
  }

  writing(): Promise<void> {
    return this.#scaffold.write();
  }
}
