/** What Yeoman's conflicter hands over to be printed in colour. */
interface Part {
  readonly message: string;
}

/**
 * Yeoman's way to the user where there is no terminal: it prints what Yeoman's own adapter prints, and asks
 * nothing. That one loads every kind of prompt there is, which takes a quarter of a run.
 */
export function plainAdapter(): object {
  const write = (text: string) => {
    process.stderr.write(text);
    return log;
  };
  const line = (text = '') => write(`${text}\n`);
  const announce = (status: string) => (path: string) => line(`${status.padStart(9)} ${path}`);
  const log: object = Object.assign((text?: string) => line(text), {
    write,
    writeln: line,
    colored: (parts: readonly Part[]) => write(parts.map(({ message }) => message).join('')),
    create: announce('create'),
    identical: announce('identical'),
    conflict: announce('conflict'),
    force: announce('force'),
    skip: announce('skip'),
  });
  return {
    log,
    prompt: () => Promise.reject(new Error('There is no terminal to ask in.')),
  };
}
