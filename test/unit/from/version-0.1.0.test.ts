import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { movedIn } from '../../support/move-in.ts';
import { runnerToken as token } from '../../support/tokens.ts';

const read = (path: string) =>
  readFileSync(new URL(`../../facts/version-0.1.0/${path}`, import.meta.url), 'utf8');
const store = read('.yo-rc.json');
const template = read('config/template.toml');

/** The config.toml that `make register` made there of its template. */
const config = `concurrent = 3
check_interval = 0

${template
  .replace(/^ *#.*\n/gm, '')
  .replace(
    '[[runners]]',
    `[[runners]]\n  name = "My Docker Runner"\n  url = "https://gitlab.example.com"\n  id = 5\n  token = "${token}"\n  executor = "docker"`,
  )
  .replace(
    '[runners.docker]',
    '[runners.docker]\n    image = "docker:29.10.0-cli"\n    volumes = ["/certs/client", "/cache"]',
  )
  .replace(
    'AuthenticationType',
    'AccessKey = "AKIAEXAMPLE"\n      SecretKey = "s3cr3t"\n      AuthenticationType',
  )}`;

const files = {
  '.yo-rc.json': store,
  'docker-compose.yml': read('docker-compose.yml'),
  'scripts/settings.ts': read('scripts/settings.ts').replace("tags: ['docker']", "tags: ['docker', 'mine']"),
};
const secrets =
  'GITLAB_ACCESS_TOKEN=glpat-aBcDeFgHiJkLmNoPqRsT\nGITLAB_PROJECT_ID=77\nTZ=Europe/Vienna\nMINE=1\n';

describe('a repository of version 0.1.0', () => {
  it('that is registered becomes one of this version, with its answers, its token and what its owner edited', () => {
    const { answers, runners, environment, said, texts } = movedIn({
      ...files,
      'config/config.toml': config,
      '.env': secrets,
    });
    const saved = JSON.parse(store)['generator-gitlab-runner-docker'];
    expect(answers).toMatchObject({
      gitlabUrl: saved.gitlabUrl,
      builder: 'dind',
      hardening: 'recommended',
      cache: 's3',
      cacheServer: saved.cacheServer,
      concurrent: 3,
      tags: ['docker', 'mine'],
    });
    expect(runners[0]).toMatchObject({
      unhealthy_interval: '1m0s',
      docker: { services_privileged: true, volumes: ['/certs/client', '/cache'] },
      cache: { s3: { AuthenticationType: 'iam' } },
    });
    for (const line of [
      `RUNNER_TOKEN=${token}`,
      'GITLAB_PROJECT_ID=77',
      'GITLAB_ACCESS_TOKEN=glpat-aBcDeFgHiJkLmNoPqRsT',
      'CACHE_S3_ACCESS_KEY=AKIAEXAMPLE',
      'CACHE_S3_SECRET_KEY=s3cr3t',
      'TZ=Europe/Vienna',
    ])
      expect(environment.split('\n')).toContain(line);
    for (const secret of [token, 'glpat-', 'AKIAEXAMPLE', 's3cr3t'])
      expect(JSON.stringify(texts) + said).not.toContain(secret);
    expect(said).toContain('not asked any more: dindImage, cacheSize, pullPolicy, backup');
    expect(said.split('Not taken over')[1]).toBe(
      ', for it was not understood or has no place:\n  - MINE of .env\n"make up" starts it. Stop the older one then: until that both take jobs.',
    );
  });

  it('that was never registered becomes one by its answers and its template', () => {
    const { answers, runners, environment, said } = movedIn({
      ...files,
      'config/template.toml': template.replace('"1m0s"', '"2m0s"'),
    });
    expect(answers).toMatchObject({ builder: 'dind', gitlabUrl: 'https://gitlab.example.com' });
    expect(runners[0]).toMatchObject({ unhealthy_interval: '2m0s' });
    expect(environment).toMatch(/^RUNNER_TOKEN=$/m);
    expect(said).not.toContain('Not taken over');
  });

  it('with the builder that is gone gets one that isolates, in words', () => {
    const { answers, said } = movedIn({ ...files, '.yo-rc.json': store.replace('"dind"', '"socket-proxy"') });
    expect(answers.builder).toBe('buildkit');
    expect(said).toContain('Instead of the builder socket-proxy, buildkit was taken.');
    expect(said).toContain('- --builder, "socket-proxy": The builder socket-proxy is gone');
  });
});
