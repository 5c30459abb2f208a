import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal } from '../ask/refusal.ts';
import { readText, requireInside, requireSpace, requireWritable } from '../write/files-on-disk.ts';
import { diff } from '../write/summary.ts';
import { settle, writeAll } from '../write/transaction.ts';
import { addJob, type Sample } from './add-job.ts';
import { findDockerfiles } from './dockerfiles.ts';
import { type Facts, type PipelineFile, readPipeline } from './read-pipeline.ts';

const pipelinePath = '.gitlab-ci.yml';

/**
 * Adds the job of a sample pipeline to that of the project in a folder, or only says what it would add.
 *
 * @returns what was done, in lines
 * @throws Refusal if that cannot go well: nothing is written then
 */
export async function addToProject(folder: string, sample: Sample, dryRun: boolean): Promise<string[]> {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new Refusal(`There is no folder ${folder}: name that of the project whose pipeline gains the job.`);
  const file = join(folder, pipelinePath);
  requireInside(folder, pipelinePath);
  settle(folder, !dryRun);
  const before = readText(file);
  const pipeline = readPipeline(pipelinePath, before ?? '');
  const paths = filesOfProject(folder);
  const dockerfiles = findDockerfiles(paths, path => readText(join(folder, path)) ?? '');
  const { text, notes } = addJob({ file: pipeline, ...readIncluded(folder, pipeline), dockerfiles }, sample);
  if (text === pipeline.text) return [...notes];
  if (dryRun) return [diff(pipelinePath, before, text), ...notes];
  requireWritable(file);
  requireSpace(folder, Buffer.byteLength(text));
  await writeAll(folder, [{ path: pipelinePath, before, after: text }]);
  const word = pipeline.text === '' ? 'create' : 'change';
  return [`  ${word} ${file}`, ...notes];
}

/**
 * The files that Git knows or would take; what it ignores is none of the project.
 * @throws Refusal if Git does not tell
 */
function filesOfProject(folder: string): string[] {
  const words = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  try {
    const listed = execFileSync('git', words, {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: Number.POSITIVE_INFINITY,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // One that is not committed as removed yet is in the list, and not on the disk.
    return listed.split('\0').filter(path => path !== '' && existsSync(join(folder, path)));
  } catch (error) {
    const { stderr, code } = error as { stderr?: string; code?: string };
    const why = code === 'ENOENT' ? 'there is no git here' : (stderr ?? '').trim().split('\n')[0];
    throw new Refusal(`Git does not tell which files ${folder} has (${why}): nothing was changed.`);
  }
}

/** What the files say that a pipeline includes, as far as they are in the project. */
function readIncluded(folder: string, pipeline: PipelineFile): { included: Facts[]; unread: string[] } {
  const included: Facts[] = [];
  const unread = new Set(pipeline.facts.includes.others);
  const paths = [...pipeline.facts.includes.local];
  // The list grows while it is read.
  for (const path of paths) {
    const text = /[*$]/.test(path) ? undefined : readText(join(folder, path));
    if (text === undefined) unread.add(path);
    else {
      const { facts } = readPipeline(path, text);
      included.push(facts);
      for (const other of facts.includes.others) unread.add(other);
      paths.push(...facts.includes.local.filter(local => !paths.includes(local)));
    }
  }
  return { included, unread: [...unread] };
}
