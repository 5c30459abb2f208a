import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { Refusal } from '../ask/refusal.ts';
import { shell } from '../write/quoting.ts';

/** A file as far as it could be read: its text, or why there is none. */
export type Looked =
  | { readonly text: string }
  | { readonly text: undefined; readonly why: 'none' | 'denied' | 'UTF-16' | 'no UTF-8' | 'no file' };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads a file of an older runner. Those are often root's. */
export function lookAt(path: string): Looked {
  const none = (why: 'none' | 'denied' | 'UTF-16' | 'no UTF-8' | 'no file') => ({ text: undefined, why });
  const kind = kindOf(path);
  if (kind !== 'file') return none(kind === 'folder' || kind === 'other' ? 'no file' : kind);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return none(isDenied(error) ? 'denied' : 'none');
  }
  try {
    return { text: utf8.decode(bytes) };
  } catch {
    return none(/^(fffe|feff)/.test(bytes.toString('hex', 0, 2)) ? 'UTF-16' : 'no UTF-8');
  }
}

const isDenied = (error: unknown): boolean =>
  /^(EACCES|EPERM)$/.test(String((error as NodeJS.ErrnoException).code));

/** What is there; a pipe, as of `<(...)`, is read as a file. */
export function kindOf(path: string): 'file' | 'folder' | 'other' | 'none' | 'denied' {
  try {
    const found = statSync(path);
    if (found.isDirectory()) return 'folder';
    return found.isFile() || found.isFIFO() ? 'file' : 'other';
  } catch (error) {
    return isDenied(error) ? 'denied' : 'none';
  }
}

/** Where a symbolic link leads that leads nowhere; undefined where there is none. */
function lostLink(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

/** The command that makes a copy of a file that its caller alone may read, who has to be allowed to use sudo. */
export const copyCommand = (file: string, copy: string): string =>
  `  sudo install -m 600 -o "$(id -u)" ${shell(file)} ${shell(copy)}`;

/** What was named for --from, and what is in it; what cannot be read is refused with the command that helps. */
export class OlderFiles {
  readonly #named: string;
  readonly isFolder: boolean;

  /** @throws Refusal if there is nothing that could be read */
  constructor(named: string) {
    this.#named = named;
    const kind = kindOf(named);
    // Of what may not be looked at, a name with a dot is that of a file.
    this.isFolder = kind === 'folder' || (kind === 'denied' && !basename(named).slice(1).includes('.'));
    if (kind === 'denied') throw this.#denied(named);
    this.requireNoLostLink(named);
    if (kind === 'none') throw new Refusal(`There is no ${named}: nothing was written.`);
    if (kind === 'other') throw new Refusal(`${named} is neither a file nor a folder. Nothing was written.`);
  }

  /** @throws Refusal if something is there that may not be looked at, or a link that leads nowhere */
  hasFile(path: string): boolean {
    const kind = kindOf(path);
    if (kind === 'denied') throw this.#denied(path);
    if (kind === 'none') this.requireNoLostLink(path);
    return kind === 'file';
  }

  /** @throws Refusal if it is a link that leads nowhere */
  requireNoLostLink(path: string): void {
    const target = kindOf(path) === 'none' ? lostLink(path) : undefined;
    if (target !== undefined)
      throw new Refusal(`${path} is a symbolic link to ${target}, which is not there. Nothing was written.`);
  }

  /**
   * The text of a file; undefined where there is none.
   * @throws Refusal if it may not be read, or is not in UTF-8
   */
  read(path: string): string | undefined {
    const looked = lookAt(path);
    if (looked.text !== undefined) return looked.text;
    if (looked.why === 'denied') throw this.#denied(path);
    if (looked.why === 'UTF-16') throw notInUtf8(path, 'is in UTF-16, and not in UTF-8', 'UTF-16');
    if (looked.why === 'no UTF-8')
      throw notInUtf8(path, 'is not in UTF-8, but in another encoding, for example LATIN1', 'LATIN1');
    return undefined;
  }

  /** The names in a folder; none where there is none. @throws Refusal if it may not be listed */
  list(path: string): string[] {
    if (kindOf(path) !== 'folder') return [];
    try {
      return readdirSync(path).sort();
    } catch {
      throw this.#denied(path);
    }
  }

  #denied(path: string): Refusal {
    const folder = this.isFolder ? this.#named : dirname(this.#named);
    const [copy, command] =
      path === this.#named && !this.isFolder
        ? [basename(path), copyCommand(path, basename(path))]
        : [
            this.isFolder ? 'older-runner' : `older-runner/${basename(this.#named)}`,
            `  sudo cp -a ${shell(`${folder}/.`)} older-runner && sudo chown -R "$(id -u)" older-runner`,
          ];
    return new Refusal(
      `${path} may not be read by you, and may hold a token. Make a copy that is yours by this command, run again with --from ${shell(copy)}, and delete the copy then. Nothing was written.\n${command}`,
    );
  }
}

function notInUtf8(path: string, why: string, encoding: string): Refusal {
  const copy = shell(basename(path));
  return new Refusal(
    `${path} ${why}. Convert it by this command, run again with --from ${copy}, and delete the copy then. Nothing was written.\n  (umask 077; iconv -f ${encoding} -t UTF-8 ${shell(path)} > ${copy})`,
  );
}
