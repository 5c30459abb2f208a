// Says whether this checkout can be published, and by which commands; publishes nothing:  npm run release
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

const top = join(import.meta.dirname, '..');

/**
 * What stands against publishing the checkout in that folder, in sentences.
 *
 * npm compares `repository` with what the signed provenance says of the job that publishes:
 * https://docs.npmjs.com/generating-provenance-statements
 */
export function obstacles(folder: string): string[] {
  const read = (path: string) => readFileSync(join(folder, path), 'utf8');
  const [generator, create, lock] = ['package.json', 'create/package.json', 'package-lock.json'].map(path =>
    JSON.parse(read(path)),
  );
  const { name, version } = generator;
  const section = /^## (\S+) - (\S+)$/m.exec(read('CHANGELOG.md'));
  const isReleased = section?.[1] === version && /^\d{4}-\d\d-\d\d$/.test(section?.[2] ?? '');
  const git = (...words: string[]) => execFileSync('git', words, { cwd: folder, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain');
  const versions = {
    'package-lock.json': lock.version,
    'create/package.json': create.version,
    '"dependencies" of create/package.json': create.dependencies?.[name],
  };
  const without = [generator, create].filter(({ repository }) => !(repository?.url ?? repository));
  return [
    ...(changed ? [`These files are not as committed: commit or discard them.\n${changed}`] : []),
    ...(git('tag', '--list', `v${version}`) ? [`v${version} is tagged: choose the next version.`] : []),
    ...Object.entries(versions)
      .filter(([, other]) => other !== version)
      .map(([where, other]) => `${where} says ${other}, and package.json ${version}: make them the same.`),
    ...(isReleased
      ? []
      : [
          `CHANGELOG.md begins with "${section?.[0]}": make that "## ${version} - YYYY-MM-DD", the day of the release.`,
        ]),
    ...without.map(
      manifest =>
        `${manifest.name} has no "repository" in its package.json: without it npm refuses --provenance.`,
    ),
  ];
}

/** The commands that publish it, the one that the other needs first. */
export function commands(version: string): string[] {
  const options = '--provenance --access public';
  return [
    `git tag v${version} && git push origin v${version}`,
    `npm publish ${options}`,
    `npm publish ./create ${options}`,
  ];
}

function main(): void {
  const found = obstacles(top);
  if (found.length > 0) {
    console.error(`This cannot be published yet.\n${found.map(sentence => `- ${sentence}`).join('\n')}`);
    process.exitCode = 1;
    return;
  }
  console.error('Packing and installing both packages, and trying them: a minute or so ...');
  const vitest = join(top, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync('node', [vitest, 'run', '--project', 'package'], {
    cwd: top,
    stdio: 'inherit',
  });
  if (status !== 0) {
    process.exitCode = 1;
    return;
  }
  const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
  console.log(
    `\nNothing was published. In a job of CI that npm trusts (provenance is signed for that job, and for no other place):\n`,
  );
  for (const command of commands(version)) console.log(`  ${command}`);
}

if (realpathSync(process.argv[1] ?? '') === import.meta.filename) main();
