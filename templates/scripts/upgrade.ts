// Brings the runner to another version, and back again if that does not become healthy:  make upgrade
//
//   scripts/run upgrade [--to TAG] [--wait SECONDS]
//
//   --to    a tag such as alpine-v19.4.0, or a whole image; without it, what the present tag stands for now
//   --wait  how long running jobs have to end; without it, what docker-compose.yml says (stop_grace_period)
//
// docker-compose.yml then names the image by its digest too, so that it stays this one until the next upgrade.

import { readFileSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  explainContainer,
  holdInterruptions,
  isInterrupted,
  lastLine,
  requireCompose,
  requireEngine,
  run,
  runningJobs,
  start,
  versionIn,
} from './engine.ts';
import { Failure, readEnvironment, replaceFile, root } from './env.ts';
import { gitlabVersion, versionGap } from './gitlab.ts';

const file = new URL('docker-compose.yml', root);
/** Seconds that a new version has to become healthy. */
const patience = 90;

interface Running {
  container: string;
  /** The image's id. */
  image: string;
  version: string;
}

async function main(): Promise<void> {
  const { values: options } = parseArgs({ options: { to: { type: 'string' }, wait: { type: 'string' } } });
  await requireEngine();
  const compose = await requireCompose();
  const text = readFileSync(file, 'utf8');
  const named = imageIn(text);
  const before = await runningNow(compose);
  const problem = before && (await whyUnhealthy(before.container));
  if (!before || problem) {
    const why = before ? `is not healthy: ${problem}` : 'does not run';
    throw new Failure(
      `The runner ${why}, so nobody could tell whether an upgrade went well.`,
      'Run: make doctor',
    );
  }

  const wanted = wantedImage(named, options.to);
  console.log(`Pulling ${wanted}...`);
  const pulled = await run(['docker', 'pull', '--quiet', wanted]);
  if (pulled.status !== 0) {
    throw new Failure(
      `${wanted} cannot be pulled: ${explainContainer(pulled.stderr)}`,
      'Nothing was changed.',
    );
  }
  const after = await lookAt(wanted);
  console.log(`from: ${before.version}  ${named}\nto:   ${after.version}  ${after.pinned}`);
  const gap = versionGap(after.version, await gitlabVersion(readEnvironment()));
  if (gap) console.log(`warning: ${gap}`);
  if (after.image === before.image) {
    console.log('That is what runs already. Nothing was changed.');
    return;
  }

  holdInterruptions();
  await drain(compose, options.wait);
  writeCompose(text.replace(named, after.pinned));
  const why = await bringUp(compose);
  if (why === undefined && !isInterrupted()) {
    console.log(`Upgraded: the runner is healthy, and GitLab knows it. Commit docker-compose.yml.`);
    return;
  }
  console.log(`Going back to ${before.version}...`);
  writeCompose(text);
  // The tag may stand for the new image by now; what ran before is still here.
  if (!named.includes('@')) await run(['docker', 'tag', before.image, named]);
  const whyNot = await bringUp(compose);
  if (whyNot !== undefined) {
    throw new Failure(
      `Neither version becomes healthy. The old one: ${whyNot}`,
      'See why: make logs; then: make doctor',
    );
  }
  throw new Failure(
    `${isInterrupted() ? 'Interrupted.' : `The new version does not become healthy: ${why}`} Version ${before.version} runs again.`,
    'docker-compose.yml is as it was. Try another version: make upgrade TO=...',
  );
}

/** The image of the service called runner. */
function imageIn(compose: string): string {
  const service = /^ {2}runner:\n((?: {3,}.*\n|\s*\n| *#.*\n)*)/m.exec(compose)?.[1] ?? '';
  const image = /^ +image: *["']?([^\s"']+)/m.exec(service)?.[1];
  if (image !== undefined && !image.includes('$')) return image;
  throw new Failure(
    'docker-compose.yml does not name the image of the service "runner" in one plain line.',
    'Change the version where it is named; then: docker compose pull, and make restart',
  );
}

function wantedImage(named: string, to: string | undefined): string {
  const present = named.replace(/@.*$/, '');
  if (to === undefined) return present;
  return /[/:]/.test(to) ? to : `${present.replace(/:[^/]*$/, '')}:${to}`;
}

async function runningNow(compose: string[]): Promise<Running | undefined> {
  const container = (await run([...compose, 'ps', '-q', 'runner'])).stdout.trim();
  if (container === '') return undefined;
  const { stdout: image } = await run(['docker', 'inspect', '--format', '{{.Image}}', container]);
  const { status, stdout } = await run(['docker', 'exec', container, 'gitlab-runner', '--version']);
  return status === 0 ? { container, image: image.trim(), version: versionIn(stdout) } : undefined;
}

/** An image that was pulled, and its name with its digest. */
async function lookAt(name: string): Promise<{ image: string; pinned: string; version: string }> {
  const format = '{{.Id}}{{range .RepoDigests}} {{.}}{{end}}';
  const { stdout } = await run(['docker', 'image', 'inspect', '--format', format, name]);
  const [image = '', ...digests] = stdout.trim().split(' ');
  const repository = name.replace(/:[^/]*$/, '');
  const digest = digests.find(one => one.startsWith(`${repository}@`))?.replace(/^.*@/, '');
  const asked = await run(['docker', 'run', '--rm', '--entrypoint', 'gitlab-runner', name, '--version']);
  if (asked.status !== 0) {
    throw new Failure(
      `${name} is no image of GitLab Runner: ${lastLine(asked.stderr)}`,
      'Nothing was changed.',
    );
  }
  return { image, pinned: digest ? `${name}@${digest}` : name, version: versionIn(asked.stdout) };
}

/** Stops the runner once its jobs have ended; in the meantime it takes no new ones. */
async function drain(compose: string[], wait: string | undefined): Promise<void> {
  const stop = [...compose, 'stop', ...(wait === undefined ? [] : ['--timeout', wait]), 'runner'];
  let isOver = false;
  const stopping = run(stop, {}, { undisturbed: true }).finally(() => {
    isOver = true;
  });
  const started = Date.now();
  while (!isOver && !isInterrupted()) {
    const jobs = await runningJobs();
    const seconds = Math.round((Date.now() - started) / 1000);
    console.log(`Waiting for running jobs to end: ${jobs} left, after ${seconds} s`);
    for (let tick = 0; tick < 60 && !isOver && !isInterrupted(); tick += 1) await sleep(0.5);
  }
  if (!isOver) {
    throw new Failure(
      'Interrupted: the runner takes no new jobs, and ends with its last one.',
      'docker-compose.yml is as it was. Start the runner again: make up',
    );
  }
  const { status, stderr } = await stopping;
  if (status !== 0) throw new Failure(`The runner does not stop: ${lastLine(stderr)}`, 'Run: make doctor');
}

/** Starts what docker-compose.yml names, and says why it does not become healthy, if so. */
async function bringUp(compose: string[]): Promise<string | undefined> {
  const up = await run([...compose, 'up', '-d'], {}, { undisturbed: true });
  if (up.status !== 0) return lastLine(up.stderr);
  const started = Date.now();
  let why: string | undefined = 'it did not start';
  do {
    await sleep(2);
    const now = await runningNow(compose);
    why = now ? await whyUnhealthy(now.container) : 'it does not stay up';
  } while (why !== undefined && Date.now() - started < patience * 1000);
  return why;
}

/** What speaks against a container of the runner; undefined where it runs, and GitLab knows it. */
async function whyUnhealthy(container: string): Promise<string | undefined> {
  const format = '{{.State.Status}} {{.RestartCount}}';
  const { stdout } = await run(['docker', 'inspect', '--format', format, container]);
  const [state = '', restarts = ''] = stdout.trim().split(' ');
  if (state !== 'running') return `it is ${state || 'gone'}, after ${restarts} restarts`;
  const verified = await run(['docker', 'exec', container, 'gitlab-runner', 'verify']);
  return verified.status === 0 ? undefined : lastLine(verified.stderr);
}

function writeCompose(text: string): void {
  replaceFile('docker-compose.yml', text, statSync(file).mode);
}

function sleep(seconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, seconds * 1000));
}

await start('upgrade', main);
