// Whether the engine of this host asks the mirror before it asks Docker Hub.

import { type Check, lastLine } from './host.ts';

const address = 'http://127.0.0.1:5000';

export const checks: Check[] = [
  {
    name: 'mirror',
    needs: ['engine'],
    async run(run, note) {
      const { status, stdout, stderr } = await run([
        'docker',
        'info',
        '--format',
        '{{json .RegistryConfig.Mirrors}}',
      ]);
      if (status !== 0)
        return note('unknown', `the engine does not say which mirrors it asks: ${lastLine(stderr)}`);
      if (stdout.includes(`"${address}`)) return note('ok', `the engine asks ${address} first`);
      const remedy = `Add "registry-mirrors": ["${address}"] to /etc/docker/daemon.json, then: sudo systemctl restart docker`;
      note('warning', 'the engine of this host does not know the mirror.', remedy);
    },
  },
];
