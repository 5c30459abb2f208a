// Whether the certificate of the private authority is there, and for how long it is valid.

import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { type Check, Failure, root } from './host.ts';

/** @throws Failure unless that text is a certificate in PEM form that is valid for a while */
export function daysLeft(text: string, now = Date.now()): { name: string; days: number } {
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new Failure(
      'config/certs/ca.crt is no certificate in PEM form.',
      'From DER form: openssl x509 -inform der -in YOUR-CA.der -out config/certs/ca.crt',
    );
  const { subject, validTo } = new X509Certificate(text);
  const days = Math.floor((Date.parse(validTo) - now) / 86_400_000);
  if (days < 0) throw new Failure(`the certificate in config/certs/ca.crt expired on ${validTo}.`, renew);
  return { name: subject.replaceAll('\n', ', '), days };
}

const renew = 'Put the new one into config/certs/ca.crt.';

export const checks: Check[] = [
  {
    name: 'private CA',
    needs: [],
    run(_, note) {
      const file = new URL('config/certs/ca.crt', root);
      if (!existsSync(file) || !statSync(file).isFile())
        throw new Failure(
          'the certificate of your private authority, config/certs/ca.crt, is not there.',
          'Put it there, in PEM form: mkdir -p config/certs && cp YOUR-CA.pem config/certs/ca.crt',
        );
      const { name, days } = daysLeft(readFileSync(file, 'utf8'));
      if (days < 30) note('warning', `the certificate of ${name} expires in ${days} days.`, renew);
      else note('ok', `${name}, valid for ${days} days`);
    },
  },
];
