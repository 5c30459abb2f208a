import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selfSigned } from '../support/certificates.ts';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { asRunner } from './support/as-runner.ts';
import { type Engine, engine } from './support/engines.ts';
import { eventually, output } from './support/program.ts';
import { Repository } from './support/repository.ts';

/** What docker is told to start a job with config.toml as it is: the words of the program that stands for the runner. */
const jobOptions = (repository: Repository): string =>
  repository.read(asRunner(repository)[1]!.slice(repository.folder.length + 1));

for (const name of ['modern', 'old'] as const) {
  const on = engine(name);

  describe.skipIf(!needs(on !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
    `a repository from which most was taken, with a private authority, on the ${name} engine`,
    () => {
      let gitlab: GitLabServer;
      let repository: Repository;

      beforeAll(async () => {
        const { hostAddress } = on as Engine;
        const certificate = selfSigned(hostAddress);
        gitlab = await GitLabServer.start({ host: '0.0.0.0', tls: certificate });
        const url = gitlab.url.replace('127.0.0.1', hostAddress);
        const options = ['--gitlab-url', url, '--private-ca', '--hardening', 'strict', '--clean-up', 'none'];
        repository = await Repository.scaffold(on!, options, 'hardening-');
        mkdirSync(join(repository.folder, 'config/certs'));
        repository.write('config/certs/ca.crt', certificate.cert);
        repository.writeEnv({
          GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['create_runner', 'manage_runner']),
          GITLAB_PROJECT_ID: String(gitlab.addProject('team/app')),
        });
        for (const command of ['register', 'up']) {
          const { code, output: text } = await repository.make(command);
          expect(code, text).toBe(0);
        }
      });
      afterAll(async () => {
        await repository?.make('down');
        await repository?.removeVolumes();
        await repository?.dispose();
        await gitlab?.stop();
      });

      it('makes a runner that serves protected branches only, and stays with its project', () => {
        expect([...gitlab.runners.values()]).toMatchObject([{ accessLevel: 'ref_protected', locked: true }]);
      });

      it('runs the runner on a read-only file system, with one capability, and it takes jobs by TLS', async () => {
        const id = await repository.container();
        const [{ HostConfig: host }] = JSON.parse(await repository.docker('inspect', id));
        expect(host).toMatchObject({ ReadonlyRootfs: true, SecurityOpt: ['no-new-privileges:true'] });
        const look = ['exec', id, 'grep', '-E', '^(NoNewPrivs|CapBnd)', '/proc/1/status'];
        expect(await repository.docker(...look)).toMatch(/CapBnd:\s*0000000000000002\nNoNewPrivs:\s*1\n/);
        const job = gitlab.jobs.get(gitlab.queueJob({ seconds: 1 }))!;
        await eventually(() => expect(job.state).toBe('success'), 60);
      });

      it('gives jobs the authority by a volume of this folder, few capabilities and limits', async () => {
        const options = jobOptions(repository);
        for (const word of ["--cap-drop='ALL'", "--memory='4g'", "--security-opt='no-new-privileges:true'"])
          expect(options).toContain(word);
        const [mount] = /\S+:\/etc\/gitlab-runner\/certs:ro/.exec(options) ?? [];
        const inside = [
          'run',
          '--rm',
          '--volume',
          mount!.replaceAll("'", ''),
          '--entrypoint',
          'cat',
          'docker:stable',
        ];
        const seen = await output(['docker', ...inside, '/etc/gitlab-runner/certs/ca.crt'], repository.at());
        expect(seen).toBe(repository.read('config/certs/ca.crt'));
      });
    },
  );
}
