import { readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { readText } from '../write/files-on-disk.ts';
import { configOfContainer } from './container.ts';
import { type Found, readFound } from './found.ts';
import type { Variables } from './shell.ts';

/**
 * Reads the files of an older runner, and what its container mounts from elsewhere: config.toml, and certificates beside it.
 *
 * @param texts those in the folder, by their paths in it
 * @returns what they say, and what is to be said of the config.toml, in words
 * @throws Refusal if one of the files is broken
 */
export function readWithMounts(
  folder: string,
  texts: ReadonlyMap<string, string>,
  variables: Variables,
): { found: Found; hints: string[] } {
  const found = readFound(texts, variables);
  const certificates = certificatesBeside(folder, texts);
  const [mount] = found.containers.flatMap(container => configOfContainer(container) ?? []);
  const hasConfig = [...texts.keys()].some(name => name.endsWith('.toml'));
  if (mount === undefined || hasConfig) return { found: { ...found, certificates }, hints: [] };
  if (mount.volume !== undefined) {
    const copy = `docker cp ${mount.container}:/etc/gitlab-runner/config.toml .`;
    const hint = `Its config.toml is in the volume ${mount.volume} and was not read: run "${copy}" beside what you named, and name their folder.`;
    return { found, hints: [hint] };
  }
  const file = resolve(folder, mount.file.replace(/^~(?=\/)/, homedir()));
  const [text, why] = textOrReason(file);
  if (text === undefined) {
    const hint = `Its config.toml, ${file}, ${why}, so it was not read: put a copy beside what you named, and name their folder.`;
    return { found, hints: [hint] };
  }
  const all = new Map([...texts, [file, text]]);
  return {
    found: { ...readFound(all, variables), certificates: certificatesBeside(folder, all) },
    hints: [`Its config.toml was read too: ${file}.`],
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
