/**
 * A stand-in for the program `gitlab-runner`, for tests where the official image cannot be pulled.
 * It keeps the real one's flags, environment variables, rules and files; it runs no job commands.
 */
import { EventEmitter } from 'node:events';
import { realpathSync } from 'node:fs';
import { homedir, constants as os } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lint, list, unregister, verify } from './commands.ts';
import type { Context, Io } from './context.ts';
import { type Flag, FlagError, type FlagValues, loadFacts, readFlags } from './flags.ts';
import { GitLabClient } from './gitlab.ts';
import { Exit, Log } from './log.ts';
import { register } from './register.ts';
import { run } from './run.ts';

interface Command {
  summary: string;
  flags: Flag[];
  execute(context: Context, values: FlagValues, configPath: string): Promise<void> | void;
}

const REVISION = '57a4d1e9';
const DEFAULT_VERSION = '19.3.0';
const LINT_SINCE = [19, 3];

const CONFIG_FLAG: Flag = { names: ['config', 'c'], env: 'CONFIG_FILE', type: 'string' };
const GLOBAL_FLAGS: Flag[] = [
  { names: ['cpuprofile'], env: 'CPU_PROFILE', type: 'string' },
  { names: ['debug'], env: 'RUNNER_DEBUG', type: 'bool' },
  { names: ['log-format'], env: 'LOG_FORMAT', type: 'string' },
  { names: ['log-level', 'l'], env: 'LOG_LEVEL', type: 'string' },
  { names: ['help', 'h'], type: 'bool' },
  { names: ['version', 'v'], type: 'bool' },
];
// The CI_SERVER_* variables select nothing here, unlike in `register`.
const SELECTORS: Flag[] = [
  { names: ['name', 'n'], type: 'string' },
  { names: ['url', 'u'], type: 'string' },
  { names: ['token', 't'], type: 'string' },
  ...['tls-ca-file', 'tls-cert-file', 'tls-key-file'].map(name => ({ names: [name], type: 'string' })),
];
const RUN_FLAGS: Flag[] = [
  { names: ['listen-address'], env: 'LISTEN_ADDRESS', type: 'string' },
  { names: ['service', 'n'], type: 'string' },
  { names: ['working-directory', 'd'], type: 'string' },
  { names: ['user', 'u'], type: 'string' },
  { names: ['syslog'], type: 'bool' },
];

/** Runs one command line and gives its exit code. */
export async function main(argv: string[], env: NodeJS.ProcessEnv, io: Io): Promise<number> {
  const version = env.STAND_IN_VERSION || DEFAULT_VERSION;
  const log = new Log(line => io.stderr.write(line));
  try {
    return await dispatch(argv, { env, io, log, version });
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  }
}

async function dispatch(
  argv: string[],
  base: Pick<Context, 'env' | 'io' | 'log' | 'version'>,
): Promise<number> {
  const { env, io, log, version } = base;
  warnOnBoolean(argv, log);
  const facts = loadFacts(io.factsDirectory ?? join(dirname(fileURLToPath(import.meta.url)), 'facts'));
  const commands = commandTable(facts.registerFlags, version);
  const globals = parse(GLOBAL_FLAGS, argv, base, () => appHelp(commands, version));
  const [name, ...rest] = globals.rest;
  if (globals.boolean('version')) {
    io.stdout.write(versionText(version));
    return 0;
  }
  const fields = { arch: goArch(), os: 'linux', pid: process.pid, revision: REVISION, version };
  log.info('Runtime platform', fields);
  if (globals.boolean('help') || name === undefined || name === 'help' || name === 'h') {
    io.stdout.write(appHelp(commands, version));
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name]! : undefined;
  if (!command) return log.fatal(`Command ${name} not found.`);

  const help = () => commandHelp(name, command);
  const flags = [CONFIG_FLAG, ...command.flags.filter(flag => flag.names[0] !== 'config')];
  const withHelp = [...flags, { names: ['help', 'h'], type: 'bool' }];
  const values = parse(withHelp, rest, base, help);
  if (values.boolean('help')) {
    io.stdout.write(help());
    return 0;
  }
  const directory = process.getuid?.() === 0 ? '/etc/gitlab-runner' : join(homedir(), '.gitlab-runner');
  const client = new GitLabClient(log, env, join(directory, 'certs'));
  const configPath = values.string('config') || join(directory, 'config.toml');
  if (name !== 'list' && name !== 'lint') sayMode(log);
  await command.execute({ ...base, facts, client }, values, configPath);
  return 0;
}

function commandTable(registerFlags: Flag[], version: string): Record<string, Command> {
  const all = { names: ['all-runners'], type: 'bool' };
  const remove = { names: ['delete'], type: 'bool' };
  const commands: Record<string, Command> = {
    list: { summary: 'List all configured runners', flags: [], execute: list },
    register: { summary: 'register a new runner', flags: registerFlags, execute: register },
    run: {
      summary: 'run multi runner service',
      flags: RUN_FLAGS,
      execute: (context, _values, path) => run(context, path),
    },
    unregister: { summary: 'unregister specific runner', flags: [...SELECTORS, all], execute: unregister },
    verify: { summary: 'verify all registered runners', flags: [...SELECTORS, remove], execute: verify },
  };
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [sinceMajor, sinceMinor] = LINT_SINCE as [number, number];
  if (major > sinceMajor || (major === sinceMajor && minor >= sinceMinor))
    commands.lint = { summary: 'validate syntax and keys of a config.toml file', flags: [], execute: lint };
  return commands;
}

function parse(
  flags: Flag[],
  args: string[],
  { env, io, log }: Pick<Context, 'env' | 'io' | 'log'>,
  help: () => string,
): FlagValues {
  try {
    return readFlags(flags, args, env);
  } catch (error) {
    const message = (error as Error).message;
    if (error instanceof FlagError) io.stdout.write(`Incorrect Usage. ${message}\n\n${help()}`);
    return log.fatal(message);
  }
}

/** `--locked false` is read as `--locked` and then nothing more; the real one only warns of it. */
function warnOnBoolean(argv: string[], log: Log): void {
  const index = argv.findIndex(argument => ['true', 'false'].includes(argument.toLowerCase()));
  if (index < 0) return;
  const flag = index > 0 ? argv[index - 1] : '--key';
  log.warning(`boolean parameters must be passed in the command line with ${flag}=${argv[index]}`);
  log.warning('parameters after this may be ignored');
}

function sayMode(log: Log): void {
  if (process.getuid?.() === 0) log.info('Running in system-mode.');
  else {
    log.warning('Running in user-mode.');
    log.warning('Use sudo for system-mode:');
    log.warning('$ sudo gitlab-runner...');
  }
  log.info('');
}

const goArch = (): string => (process.arch === 'x64' ? 'amd64' : process.arch);

function versionText(version: string): string {
  const [major, minor] = version.split('.');
  const lines = {
    Version: version,
    'Git revision': REVISION,
    'Git branch': `${major}-${minor}-stable`,
    'GO version': 'go1.26.3 X:cacheprog',
    Built: '2026-08-19T09:12:31Z',
    'OS/Arch': `linux/${goArch()}`,
  };
  const text = Object.entries(lines).map(([key, value]) => `${`${key}:`.padEnd(14)}${value}\n`);
  return text.join('');
}

function appHelp(commands: Record<string, Command>, version: string): string {
  const lines = Object.keys(commands)
    .sort()
    .map(name => `   ${name.padEnd(12)} ${commands[name]!.summary}`);
  return [
    'NAME:',
    '   gitlab-runner - a GitLab Runner (stand-in for tests)\n',
    'USAGE:',
    '   gitlab-runner [global options] command [command options] [arguments...]\n',
    'VERSION:',
    `   ${version} (${REVISION})\n`,
    'COMMANDS:',
    ...lines,
    '\nGLOBAL OPTIONS:',
    ...GLOBAL_FLAGS.map(flagHelp),
    '',
  ].join('\n');
}

function commandHelp(name: string, { summary, flags }: Command): string {
  const usage = `USAGE:\n   gitlab-runner ${name} [command options] [arguments...]\n`;
  const lines = [CONFIG_FLAG, ...flags.filter(flag => flag.names[0] !== 'config')].map(flagHelp);
  return [`NAME:\n   gitlab-runner ${name} - ${summary}\n`, usage, 'OPTIONS:', ...lines, ''].join('\n');
}

function flagHelp({ names, env, type }: Flag): string {
  const value = type === 'bool' ? '' : ' value';
  const text = names.map(name => `${name.length > 1 ? '--' : '-'}${name}${value}`).join(', ');
  return `   ${text}${env ? ` [$${env}]` : ''}`;
}

const [, program] = process.argv;
if (program && realpathSync(program) === fileURLToPath(import.meta.url)) {
  const signals = new EventEmitter();
  // Needed as process 1 of a container, where a signal without a handler does nothing at all.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (!signals.emit(signal)) process.exit(128 + os.signals[signal]);
    });
  const { stdin, stdout, stderr } = process;
  process.exitCode = await main(process.argv.slice(2), process.env, { stdin, stdout, stderr, signals });
  // Standard input may be a terminal that nobody closes.
  stdin.unref?.();
}
