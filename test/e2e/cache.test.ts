import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { Bench } from './support/bench.ts';
import { engine } from './support/engines.ts';
import { bridgeAddress, hasImages, imagesLoaded } from './support/surroundings.ts';

const modern = engine('modern');
const able =
  needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)') &&
  needs(await hasImages(modern), 'the images of .ci/images');

describe.skipIf(!able)('a cache on an S3 server in docker-compose.yml', () => {
  let bench: Bench;
  const keys = { CACHE_S3_ACCESS_KEY: 'an-access-key-of-ours', CACHE_S3_SECRET_KEY: 'a-secret-half-of-ours' };

  beforeAll(imagesLoaded, 900_000);
  beforeAll(async () => {
    bench = await Bench.open(modern!, ['--cache', 's3', '--clean-up', 'none']);
    const { repository, gitlab } = bench;
    // That engine's bridge has another address than most.
    repository.edit('docker-compose.yml', '172.17.0.1:7070:7070', `${bridgeAddress}:7070:7070`);
    repository.writeEnv({ ...keys, RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token });
    await bench.succeed('register');
    await bench.succeed('up');
  });
  afterAll(async () => {
    await bench?.repository.docker('compose', 'down', '--volumes', '--timeout', '1');
    await bench?.close();
  });

  it('keeps what a job puts there for the next one, signed with the keys of .env, which are in no file of git', async () => {
    const first = await bench.startJob(1, 'success');
    expect(first.log).toMatch(/file does not exist: 404[\s\S]*Created cache/);
    const second = await bench.startJob(1, 'success');
    expect(second.log).toContain('Successfully extracted cache');
    expect(bench.repository.read('config/config.toml')).not.toContain(keys.CACHE_S3_SECRET_KEY);
  });

  it('is found by doctor from where jobs run', async () => {
    const { stdout } = await bench.repository.make('doctor');
    expect(stdout).toMatch(/^ok +cache /m);
    for (const key of Object.values(keys)) expect(stdout).not.toContain(key);
  });
});
