// The signing keys of the provider.
import { generateKeyPairSync, randomUUID } from 'node:crypto';

export function rsaKey(kid) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
}

export function ecKey(kid) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' };
}

export function freshKeys() {
  return [rsaKey(`rs-${randomUUID().slice(0, 8)}`), ecKey(`es-${randomUUID().slice(0, 8)}`)];
}
