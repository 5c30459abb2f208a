/** A deliberate breakage: one place of a file, what stands there, and what then does. */
export interface Mutant {
  readonly what: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const of =
  (file: string) =>
  (what: string, from: string, to: string): Mutant => ({ what, file: `templates/scripts/${file}`, from, to });
const [host, register, gitlab, doctor] = [of('host.ts'), of('register.ts'), of('gitlab.ts'), of('doctor.ts')];

/** What the fast tests have to notice: masking, .env, registering, exit codes, and what is sent to GitLab. */
export const mutants: readonly Mutant[] = [
  host('masking by value is off', "all.replaceAll(one, '[masked]')", 'all'),
  host('masking by pattern is off', ".replace(tokens, '[masked]')", ''),
  host('a short secret is replaced first', 'other.length - one.length', 'one.length - other.length'),
  host('values of the environment are no secrets', '? keepSecret(value) : value', '? value : value'),
  host('a secret that no script reads is shown', 'process.env })) env(name);', 'process.env })) void name;'),
  host(
    '.env may be read by others',
    "{ mode: 0o600, flag: 'wx', flush: true }",
    "{ mode: 0o644, flag: 'wx', flush: true }",
  ),
  host('.env is not read back', 'if (lost) throw', 'if (!lost) void 0; else if (!file) throw'),
  host(
    '.env is written in place',
    'fs.renameSync(copy, file);',
    'fs.writeFileSync(file, text); fs.rmSync(copy);',
  ),
  host('the .env of another user is written', 'owner.uid !== process.getuid?.()', 'owner.uid === -1'),
  host('a missing final newline glues two lines', "text.replace(/[^\\n]$/, '$&\\n')", 'text'),
  host('there is no lock', 'fs.mkdirSync(lock);', 'fs.mkdirSync(lock, { recursive: true });'),
  host('the lock stays', "    process.off('exit', free);\n    free();", "    process.off('exit', free);"),
  host('a failure ends with 0', 'process.exitCode = 1;', 'process.exitCode = 0;'),
  host('a failure is printed as it is', 'console.error(mask(', 'console.error(String('),
  host('a program has no time limit', 'seconds = 10', 'seconds = 0'),
  host('through a link nothing runs', 'fs.realpathSync(program) !== filename', 'program !== filename'),
  register('the token is not kept', '  if (!isDryRun) keep(runner, token, known.expiresAt);\n', ''),
  register('a dry run writes', 'if (!isDryRun) keep(', 'keep('),
  register(
    'a dry run creates the runner',
    '  if (job.isDryRun)\n    return console.log(`It would send',
    '  if (!path)\n    return console.log(`It would send',
  ),
  register(
    'a runner is not deleted again',
    "callGitLab('DELETE', '/runners', { body: { token } });\n    const isDeleted",
    "callGitLab('GET', '/runners', {});\n    const isDeleted",
  ),
  register('nothing is tried before a runner is created', '  host.writeEnvironment({});\n', ''),
  register('Ctrl-C is not held back', '  host.interruptions.areHeld = true;\n', ''),
  register('unregister asks nobody', '  await requireYes(terminal, `Delete', '  void (terminal, `Delete'),
  register('rotate asks nobody', '  await requireYes(job.terminal, `Renew', '  void (job.terminal, `Renew'),
  register('the token stays in .env', '  keep(runner);\n', ''),
  register(
    'a registration token shows in a dry run',
    'JSON.stringify(settings, null, 2)',
    'JSON.stringify({ token, ...settings }, null, 2)',
  ),
  register('what GitLab keeps is not changed', "'PUT', `/runners/${id}`", "'GET', `/runners/${id}`"),
  gitlab(
    'the token is part of the address',
    'fetch(`${url}/api/v4${path}`',
    'fetch(`${url}/api/v4${path}?private_token=${token}`',
  ),
  gitlab('a redirect is followed', "redirect: 'manual'", "redirect: 'follow'"),
  gitlab(
    'an answer that drips in is waited for',
    'AbortSignal.timeout(10_000)',
    'AbortSignal.timeout(2 ** 30)',
  ),
  doctor('the exit code is always 0', 'process.exitCode = ok ? 0 : 1;', 'process.exitCode = 0;'),
  doctor('findings show secrets', 'detail: host.mask(detail)', 'detail'),
  doctor('what needs a failed check is looked at', 'if (need) skip(', 'if (!name) skip('),
  doctor(
    'doctor waits for ever',
    "await Promise.race([run(programs, note), limit.then(() => Promise.reject(Error('time ran out.')))])",
    'await run(programs, note)',
  ),
];
