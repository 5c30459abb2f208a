import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { Bench } from './support/bench.ts';
import { engine } from './support/engines.ts';
import { run } from './support/program.ts';

// What register says and does in each case is tested without an engine; here it runs as its user runs it.

const modern = engine('modern');

describe.skipIf(!needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)'))('make register', () => {
  let bench: Bench;
  const token = () => bench.repository.environment().RUNNER_TOKEN;

  beforeAll(async () => {
    bench = await Bench.open(modern!, ['--clean-up', 'none'], { allowRegistrationToken: true });
  });
  afterAll(() => bench?.close());
  beforeEach(() => bench.gitlab.runners.clear());

  const ways: Record<string, () => Record<string, string>> = {
    'the token of a runner made in GitLab': () => ({ RUNNER_TOKEN: bench.gitlab.addRunner().token }),
    'an access token': () => ({
      GITLAB_ACCESS_TOKEN: bench.gitlab.addAccessToken(['create_runner', 'manage_runner']),
      GITLAB_PROJECT_ID: String(bench.gitlab.addProject(`team/app-${Date.now()}`)),
    }),
    'a registration token': () => ({ REGISTRATION_TOKEN: bench.gitlab.registrationToken }),
  };

  it.each(Object.keys(ways))('registers by %s, and a second time changes nothing', async way => {
    bench.repository.writeEnv(ways[way]!());
    expect(await bench.succeed('register')).toContain('Next: make up');
    const written = bench.repository.read('.env');
    expect(bench.gitlab.runners.size).toBe(1);
    expect([...bench.gitlab.runners.values()][0]?.token).toBe(token());
    expect(await bench.succeed('register')).toContain('is runner #');
    expect([bench.gitlab.runners.size, bench.repository.read('.env')]).toEqual([1, written]);
  });

  it('renews the token, then deletes the runner, and shows no token in all of it', async () => {
    bench.repository.writeEnv({ RUNNER_TOKEN: bench.gitlab.addRunner().token });
    const first = token()!;
    const rotated = await bench.succeed('register ARGS=--rotate', { YES: '1' });
    const second = token()!;
    expect(second).not.toBe(first);
    expect([...bench.gitlab.runners.values()][0]?.token).toBe(second);
    const asked = await run(['make', 'unregister'], { ...bench.repository.at(), input: 'n\n' });
    expect([asked.code === 0, bench.gitlab.runners.size]).toEqual([false, 1]);
    const deleted = await bench.succeed('unregister YES=1');
    expect([bench.gitlab.runners.size, token()]).toEqual([0, '']);
    for (const secret of [first, second]) expect(rotated + asked.output + deleted).not.toContain(secret);
  });

  it('works where the host has no Node.js that fits, in a container, and leaves .env to its owner', async () => {
    bench.repository.writeEnv({ RUNNER_TOKEN: bench.gitlab.addRunner().token });
    // The engine's own environment has the Node.js of this host, which is another one.
    await bench.succeed('register', { PATH: modern!.env.PATH });
    expect(token()).toMatch(/^glrt-/);
  });
});
