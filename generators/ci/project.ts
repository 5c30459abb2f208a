import { isUtf8 } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Refusal } from '../ask/refusal.ts';
import { isSpecial, readText, requireInside, requireSpace, requireWritable } from '../write/files-on-disk.ts';
import { shell } from '../write/quoting.ts';
import { Stopped, settle, writeUnstopped } from '../write/transaction.ts';
import { addJob, type Sample } from './add-job.ts';
import { findDockerfiles } from './dockerfiles.ts';
import { type Facts, type PipelineFile, readFacts, readPipeline } from './read-pipeline.ts';

const pipelinePath = '.gitlab-ci.yml';

/**
 * Adds the job of a sample pipeline to that of the project in a folder, or only says what it would add.
 *
 * @param report takes what is done, in lines
 * @returns whether it gained, or would gain, the job
 * @throws Refusal if that cannot go well: nothing is written then
 * @throws Stopped if a signal came while it wrote
 */
export async function addToProject(
  folder: string,
  sample: Sample,
  dryRun: boolean,
  report: (line: string) => void,
): Promise<boolean> {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new Refusal(`There is no folder ${folder}: name that of the project whose pipeline gains the job.`);
  const file = join(folder, pipelinePath);
  requireInside(folder, pipelinePath);
  const settled = settle(folder, dryRun ? { without: '--dry-run' } : true);
  if (settled) report(settled);
  requireTopLevel(folder);
  const before = readText(file);
  const pipeline = readPipeline(pipelinePath, before ?? '');
  const paths = filesOfProject(folder);
  const dockerfiles = findDockerfiles(paths, path => readText(join(folder, path)) ?? '');
  const { text, notes } = addJob({ file: pipeline, ...readIncluded(folder, pipeline), dockerfiles }, sample);
  if (text !== pipeline.text) {
    if (dryRun) {
      const { diff } = await import('../write/unified-diff.ts');
      report(diff(pipelinePath, before, text));
    } else {
      requireWritable(file);
      requireSpace(folder, Buffer.byteLength(text));
      const signal = await writeUnstopped(folder, [{ path: pipelinePath, before, after: text }]);
      if (signal) throw new Stopped(signal, `stopped, but only after ${file} had gained the job.`);
      report(`  ${before === undefined ? 'create' : 'change'} ${file}`);
    }
  }
  for (const note of notes) report(note);
  return text !== pipeline.text;
}

/** @throws Refusal if the folder is inside of a repository of Git, and not its top level */
function requireTopLevel(folder: string): void {
  if (git(folder, ['rev-parse', '--show-prefix']).trim() === '') return;
  const top = git(folder, ['rev-parse', '--show-toplevel']).trim();
  throw new Refusal(
    `${folder} is not the top level of its repository, where GitLab looks for ${pipelinePath}: name ${top}, or, if it is a project of its own, first: git init ${shell(folder)}`,
  );
}

/** The files that Git knows or would take; what it ignores is none of the project. */
function filesOfProject(folder: string): string[] {
  const listed = git(folder, ['ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  // One that is not committed as removed yet is in the list, and not on the disk.
  return listed.split('\0').filter(path => {
    const file = join(folder, path);
    return path !== '' && existsSync(file) && !isSpecial(file);
  });
}

/**
 * What a command of Git prints.
 * @throws Refusal if Git does not tell
 */
function git(folder: string, words: readonly string[]): string {
  try {
    return execFileSync('git', words, {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: Number.POSITIVE_INFINITY,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    const { stderr, code } = error as { stderr?: string; code?: string };
    const said = (stderr ?? '').trim().split('\n');
    const why = code === 'ENOENT' ? 'there is no git here' : said[0];
    // Of a folder that another user owns Git says itself what to do.
    const ofGit = said.find(line => line.trim().startsWith('git config '))?.trim();
    const init = why?.includes('not a git repository')
      ? `Is it no repository yet? Then: git init ${shell(folder)}`
      : '';
    const remedy = ofGit === undefined ? init : `Then: ${ofGit}`;
    throw new Refusal(
      `Git does not tell which files ${folder} has (${why}): nothing was changed. ${remedy}`.trimEnd(),
    );
  }
}

/**
 * What the files say that a pipeline includes, as far as they are in the project and can be read, in GitLab's order:
 * what includes others counts more than they do, and the later of two more than the earlier.
 */
function readIncluded(folder: string, pipeline: PipelineFile): { included: Facts[]; unread: string[] } {
  const included: Facts[] = [];
  const [unread, seen] = [new Set<string>(), new Set<string>()];
  const follow = ({ includes: { local, others } }: Facts) => {
    for (const other of others) unread.add(other);
    for (const path of local.filter(path => !seen.has(path))) {
      seen.add(path);
      const why = whyUnread(folder, path);
      if (why !== undefined) unread.add(`${path} (${why})`);
      else {
        const facts = readFacts(path, readText(join(folder, path)) ?? '');
        follow(facts);
        included.push(facts);
      }
    }
  };
  follow(pipeline.facts);
  return { included, unread: [...unread] };
}

/** Why an included file cannot be looked into; undefined if it can. */
function whyUnread(folder: string, path: string): string | undefined {
  if (/[*$]/.test(path)) return 'several files, or a variable';
  const file = join(folder, path);
  if (relative(folder, file).startsWith('..')) return 'not in the project';
  if (!existsSync(file)) return 'not there';
  if (statSync(file).isDirectory()) return 'a folder';
  if (isSpecial(file)) return 'no file';
  try {
    if (!isUtf8(readFileSync(file))) return 'not in UTF-8';
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
  return undefined;
}
