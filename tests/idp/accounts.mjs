// Who can sign in, and which programs may ask the provider.
import { ecKey } from './keys.mjs';

export const TENANT = '11111111-2222-3333-4444-555555555555';

export const USERS = {
  alice: {
    name: 'Alice Example',
    given_name: 'Alice',
    family_name: 'Example',
    email: 'alice@example.test',
    email_verified: true,
    preferred_username: 'alice@example.test',
    groups: ['dev', 'ops', 'Everyone'],
    upn: 'alice@example.test',
    oid: 'aaaaaaaa-0000-0000-0000-000000000001',
    tid: TENANT,
    roles: ['Reader', 'Writer'],
  },
  bob: {
    name: 'Bob Example',
    email: 'bob@example.test',
    email_verified: false,
    preferred_username: 'bob@example.test',
    groups: ['sales'],
    upn: 'bob@example.test',
    oid: 'aaaaaaaa-0000-0000-0000-000000000002',
    tid: TENANT,
    roles: [],
  },
  // In so many groups that the token passes 8 KiB, which many proxies set as their limit.
  heavy: {
    name: 'Heavy',
    email: 'heavy@example.test',
    preferred_username: 'heavy@example.test',
    groups: Array.from({ length: 250 }, (_, i) => `group-with-a-long-name-${String(i).padStart(4, '0')}`),
    upn: 'heavy@example.test',
    oid: 'aaaaaaaa-0000-0000-0000-000000000003',
    tid: TENANT,
    roles: [],
  },
};

// The key of the client `svc`, which signs its requests (private_key_jwt). A test gets the private half to sign with.
export const CLIENT_KEY = ecKey('client-1');

export function clients(redirect) {
  const { d: _private, ...clientPublicKey } = CLIENT_KEY;
  const { origin } = new URL(redirect);
  return [
    {
      client_id: 'jwtgate',
      client_secret: 'jwtgate-secret-jwtgate-secret-0001',
      redirect_uris: [redirect],
      post_logout_redirect_uris: [`${origin}/logged-out`],
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
      backchannel_logout_uri: `${origin}/backchannel-logout`,
      backchannel_logout_session_required: true,
      id_token_signed_response_alg: 'RS256',
    },
    {
      client_id: 'jwtgate-es',
      client_secret: 'jwtgate-secret-jwtgate-secret-0002',
      redirect_uris: [redirect],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_post',
      id_token_signed_response_alg: 'ES256',
    },
    {
      client_id: 'public-spa',
      redirect_uris: [redirect],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    },
    {
      client_id: 'svc',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [clientPublicKey] },
    },
  ];
}
