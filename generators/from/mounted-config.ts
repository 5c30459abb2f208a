import { readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { readText } from '../write/files-on-disk.ts';
import type { Beside } from './beside.ts';
import { configOfContainer } from './container.ts';
import { type Found, readFound } from './found.ts';

/**
 * Reads the files of an older runner, and what its container mounts from elsewhere: config.toml, and certificates beside it.
 *
 * @param texts those in the folder, by their paths in it
 * @returns what they say, what is to be said of the config.toml, in words, and which files were read for that
 * @throws Refusal if one of the files is broken
 */
export function readWithMounts(
  folder: string,
  texts: ReadonlyMap<string, string>,
  beside: Beside,
): { found: Found; hints: string[]; read: readonly string[] } {
  const found = readFound(texts, beside);
  const certificates = certificatesBeside(folder, texts);
  const [mount] = found.containers.flatMap(container => configOfContainer(container) ?? []);
  const hasConfig = [...texts.keys()].some(name => name.endsWith('.toml'));
  if (mount === undefined || hasConfig)
    return { found: { ...found, certificates }, hints: [], read: certificates };
  const file = resolve(folder, mount.file.replace(/^~(?=\/)/, homedir()));
  const [there, why] = mount.volume === undefined ? textOrReason(file) : [];
  // What the hint asks for.
  const copy = join(folder, 'config.toml');
  const [path, text] = there === undefined ? [copy, readText(copy)] : [file, there];
  if (text === undefined) {
    const hint =
      mount.volume === undefined
        ? `Its config.toml, ${file}, ${why}, so it was not read: put a copy beside what you named, and run again.`
        : `Its config.toml is in the volume ${mount.volume} and was not read: run "docker cp ${mount.container}:/etc/gitlab-runner/config.toml ." beside what you named, and this again.`;
    return { found, hints: [hint], read: [] };
  }
  const all = new Map([...texts, [path, text]]);
  const trusted = certificatesBeside(folder, all);
  return {
    found: { ...readFound(all, beside), certificates: trusted },
    hints: [`Its config.toml was read too: ${path}.`],
    read: [path, ...trusted],
  };
}

function textOrReason(file: string): [text: string | undefined, why: string] {
  try {
    return [readText(file), 'is not on this machine'];
  } catch {
    return [undefined, 'cannot be read'];
  }
}

/** GitLab Runner trusts certs/HOST.crt beside its config.toml: https://docs.gitlab.com/runner/configuration/tls-self-signed/ */
function certificatesBeside(folder: string, texts: ReadonlyMap<string, string>): string[] {
  return [...texts.keys()]
    .filter(name => name.endsWith('config.toml'))
    .map(name => join(dirname(resolve(folder, name)), 'certs'))
    .filter(certs => statSync(certs, { throwIfNoEntry: false })?.isDirectory())
    .flatMap(certs => readdirSync(certs).map(name => join(certs, name)))
    .filter(name => name.endsWith('.crt'));
}
