import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate in PEM form that is its own authority, for the addresses and names given. */
export function selfSigned(...addresses: string[]): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  try {
    const names = addresses.map(address => `${/^[\d.]+$/.test(address) ? 'IP' : 'DNS'}:${address}`);
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')] as const;
    const subject = ['-subj', '/CN=Test Authority', '-addext', `subjectAltName=${names.join(',')}`];
    const words = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      key,
      '-out',
      cert,
    ];
    execFileSync('openssl', [...words, ...subject], { stdio: 'ignore' });
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
