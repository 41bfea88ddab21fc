// What the providers of the world do differently: their paths, their key sets and the claims of their access tokens.
import { createHash } from 'node:crypto';

import { TENANT, USERS } from './accounts.mjs';

// Each may have
//   documents({ origin, keys }): what it serves instead of oidc-provider's own, by path
//   subject(accountId): the `sub` of a user
//   accessToken(token, parts, keys): changes an access token before it is signed
export const SHAPES = {
  generic: {
    name: 'generic',
    base: '',
    routes: {},
    audience: 'https://api.example.test',
  },
  okta: {
    name: 'okta',
    base: '/oauth2/default',
    routes: {
      authorization: '/v1/authorize',
      token: '/v1/token',
      jwks: '/v1/keys',
      userinfo: '/v1/userinfo',
      introspection: '/v1/introspect',
      revocation: '/v1/revoke',
      end_session: '/v1/logout',
    },
    audience: 'api://default',
    accessToken: oktaAccessToken,
  },
  azure: {
    name: 'azure',
    base: `/${TENANT}/v2.0`,
    routes: {
      authorization: '/authorize',
      token: '/token',
      jwks: '/keys',
      userinfo: '/userinfo',
      end_session: '/logout',
      introspection: '/introspect',
      revocation: '/revoke',
    },
    audience: 'api://jwtgate-api',
    documents: azureDocuments,
    subject: pairwise,
    accessToken: azureAccessToken,
  },
};

// Okta: `scp` is an array, `sub` is the login, and no `typ` tells an access token from an ID token.
function oktaAccessToken(token, parts) {
  const user = USERS[token.accountId];
  parts.header = { typ: undefined };
  Object.assign(parts.payload, {
    ver: 1,
    uid: token.accountId && `00u${token.accountId}`,
    cid: token.clientId,
    scp: words(token.scope),
    auth_time: parts.payload.iat,
    sub: user ? user.preferred_username : token.clientId,
  });
  delete parts.payload.scope;
  delete parts.payload.client_id;
}

// Entra v2: `scp` is a string with spaces, programs have `roles` instead, and `typ` is JWT.
function azureAccessToken(token, parts, keys) {
  const user = USERS[token.accountId];
  parts.header = { typ: 'JWT', x5t: keys[0].kid };
  Object.assign(parts.payload, { ver: '2.0', azp: token.clientId, azpacr: '1', tid: TENANT, uti: token.jti });
  if (user) {
    const { oid, upn, name, roles } = user;
    Object.assign(parts.payload, { oid, upn, name, roles, scp: token.scope, sub: pairwise(token.accountId) });
    if (user.groups.length > MAX_GROUPS) overage(parts.payload, oid);
  } else {
    Object.assign(parts.payload, { idtyp: 'app', oid: token.clientId, roles: words(token.scope) });
  }
  delete parts.payload.scope;
  delete parts.payload.client_id;
}

// Entra puts no more groups than this into a JWT. With one more, it says where to ask for them instead.
const MAX_GROUPS = 200;

function overage(payload, oid) {
  delete payload.groups;
  payload._claim_names = { groups: 'src1' };
  payload._claim_sources = { src1: { endpoint: `https://graph.windows.net/${TENANT}/users/${oid}/getMemberObjects` } };
}

function azureDocuments({ origin, keys }) {
  const tenant = `${origin}/${TENANT}/v2.0`;
  // For applications of many tenants: the issuer is a template that each token fills with its `tid`.
  const templateIssuer = `${origin}/{tenantid}/v2.0`;
  // RSA keys without `alg`, each with the issuer that it signs for.
  const publicKey = ({ kid, n, e }) => ({ kty: 'RSA', use: 'sig', kid, x5t: kid, n, e, issuer: templateIssuer });
  return {
    [`/${TENANT}/v2.0/keys`]: { keys: keys.filter((key) => key.kty === 'RSA').map(publicKey) },
    '/common/v2.0/.well-known/openid-configuration': {
      issuer: templateIssuer,
      jwks_uri: `${tenant}/keys`,
      authorization_endpoint: `${tenant}/authorize`,
      token_endpoint: `${tenant}/token`,
      userinfo_endpoint: `${tenant}/userinfo`,
      end_session_endpoint: `${tenant}/logout`,
      response_types_supported: ['code'],
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
    },
  };
}

// A name for a user that says nothing about who it is.
function pairwise(accountId) {
  return createHash('sha256').update(`${accountId}pairwise`).digest('base64url');
}

function words(text) {
  return (text ?? '').split(' ').filter(Boolean);
}
