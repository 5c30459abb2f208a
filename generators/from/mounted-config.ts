import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Beside } from './beside.ts';
import { configOfContainer } from './container.ts';
import { type Found, readFound } from './found.ts';
import { copyCommand, kindOf, type Looked, lookAt } from './older-files.ts';

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
  const { trusted: certificates, closed } = certificatesBeside(folder, texts);
  const [mount] = found.containers.flatMap(container => configOfContainer(container) ?? []);
  const hasConfig = [...texts.keys()].some(name => name.endsWith('.toml'));
  if (mount === undefined || hasConfig)
    return { found: { ...found, certificates }, hints: closed, read: certificates };
  const file = resolve(folder, mount.file.replace(/^~(?=\/)/, homedir()));
  const looked: Looked = mount.volume === undefined ? lookAt(file) : { text: undefined, why: 'none' };
  // What the hint asks for.
  const copy = join(folder, 'config.toml');
  const [path, text] = looked.text === undefined ? [copy, lookAt(copy).text] : [file, looked.text];
  if (text === undefined) {
    const hint =
      mount.volume === undefined
        ? hintOf(file, looked, copy)
        : `Its config.toml is in the volume ${mount.volume} and was not read: run "docker cp ${mount.container}:/etc/gitlab-runner/config.toml ." beside what you named, and this again.`;
    return { found, hints: [hint], read: [] };
  }
  const all = new Map([...texts, [path, text]]);
  const { trusted, closed: closedThere } = certificatesBeside(folder, all);
  return {
    found: { ...readFound(all, beside), certificates: trusted },
    hints: [`Its config.toml was read too: ${path}.`, ...closedThere],
    read: [path, ...trusted],
  };
}

/** Why a config.toml was not read, and what helps. */
function hintOf(file: string, looked: Looked, copy: string): string {
  const reasons = {
    ...{ none: 'is not on this machine', denied: 'may not be read by you', 'no file': 'is a folder' },
    ...{ 'UTF-16': 'is in UTF-16, and not in UTF-8', 'no UTF-8': 'is not in UTF-8' },
  };
  const why = looked.text === undefined ? looked.why : 'none';
  const command = why === 'denied' ? `\n${copyCommand(file, copy)}` : '';
  return `Its config.toml, ${file}, ${reasons[why]}, so it was not read: put a copy beside what you named, and run again.${command}`;
}

/** GitLab Runner trusts certs/HOST.crt beside its config.toml: https://docs.gitlab.com/runner/configuration/tls-self-signed/ */
function certificatesBeside(
  folder: string,
  texts: ReadonlyMap<string, string>,
): { trusted: string[]; closed: string[] } {
  const folders = [...texts.keys()]
    .filter(name => name.endsWith('config.toml'))
    .map(name => join(dirname(resolve(folder, name)), 'certs'))
    .filter(certs => kindOf(certs) === 'folder');
  const closed: string[] = [];
  const trusted = folders.flatMap(certs => {
    try {
      return readdirSync(certs).map(name => join(certs, name));
    } catch {
      closed.push(
        `What is in ${certs} may not be listed by you: if the certificate of an authority is there, copy it to config/certs/ca.crt.`,
      );
      return [];
    }
  });
  return { trusted: trusted.filter(name => name.endsWith('.crt')), closed };
}
