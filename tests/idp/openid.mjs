// oidc-provider, set up so that a test meets what Okta and Entra do and no consent screen.
import { errors, Provider } from 'oidc-provider';

import { clients, USERS } from './accounts.mjs';
import { Store } from './store.mjs';

export const IDENTITY_SCOPES = 'openid offline_access email profile groups';
export const API_SCOPES = 'api.read api.write';

const PROFILE = [
  'groups', 'upn', 'oid', 'tid', 'roles', 'preferred_username', 'name', 'email', 'email_verified', 'given_name', 'family_name',
];

export function openid({ shape, issuer, keys, settings, clientRedirect, note }) {
  const provider = new Provider(issuer, {
    adapter: Store,
    jwks: { keys },
    routes: shape.routes,
    clients: clients(clientRedirect),
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    scopes: IDENTITY_SCOPES.split(' '),
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: PROFILE, groups: ['groups'] },
    // The claims of the scopes stand in the ID token too, as Okta and Entra have it.
    conformIdTokenClaims: false,
    cookies: { keys: ['test-cookie-key'] },
    pkce: { required: () => true },
    // From 9.13 on its own fetch refuses loopback addresses, where the back-channel logout of a test goes.
    fetch: (url, { dispatcher: _guard, ...options }) => globalThis.fetch(url, options),
    findAccount: (_ctx, id) => account(shape, id),
    loadExistingGrant: (ctx) => grant(ctx.oidc, shape),
    interactions: { url: (_ctx, interaction) => `${shape.base}/interaction/${interaction.uid}` },
    renderError: (ctx, out) => {
      ctx.type = 'json';
      ctx.body = out;
    },
    ...lifetimes(settings),
    ...accessTokens(shape, keys),
    features: features(shape, settings),
  });
  provider.proxy = false;
  for (const event of ['server_error', 'backchannel.error', 'grant.error']) {
    provider.on(event, (...details) => {
      const error = details.find((detail) => detail instanceof Error);
      note({ event, msg: String(error?.message ?? '') });
    });
  }
  provider.on('backchannel.success', () => note({ event: 'backchannel.success' }));
  return provider;
}

function account(shape, id) {
  const user = USERS[id];
  const sub = shape.subject?.(id) ?? id;
  return user && { accountId: id, claims: () => ({ sub, ...user }) };
}

// Everything is granted at once: no consent screen.
async function grant({ provider, client, session }, shape) {
  const id = session.grantIdFor(client.clientId);
  const existing = id && (await provider.Grant.find(id));
  if (existing) return existing;
  const fresh = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  fresh.addOIDCScope(IDENTITY_SCOPES);
  fresh.addResourceScope(shape.audience, API_SCOPES);
  await fresh.save();
  return fresh;
}

function lifetimes(settings) {
  return {
    ttl: {
      AccessToken: () => settings.at_ttl,
      ClientCredentials: () => settings.at_ttl,
      IdToken: () => settings.id_ttl,
      AuthorizationCode: 60,
      RefreshToken: 3600,
      Session: 3600,
      Grant: 3600,
      Interaction: 600,
    },
    rotateRefreshToken: true,
    // oidc-provider silently drops offline_access without prompt=consent, which Okta and Entra do not ask for.
    issueRefreshToken: (_ctx, client, code) =>
      client.grantTypeAllowed('refresh_token') && (settings.refresh === 'always' || code.scopes.has('offline_access')),
  };
}

function accessTokens(shape, keys) {
  return {
    extraTokenClaims: (_ctx, { accountId }) => {
      if (!accountId) return {};
      const { groups, preferred_username } = USERS[accountId];
      return { groups, preferred_username };
    },
    formats: {
      customizers: {
        jwt: (_ctx, token, parts) => {
          shape.accessToken?.(token, parts, keys);
          return parts;
        },
      },
    },
  };
}

function features(shape, settings) {
  return {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    userinfo: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      // Says yes by itself.
      logoutSource: (ctx, form) => {
        ctx.body =
          `<!doctype html><title>logout</title>${form}<script>var f=document.forms[0];` +
          "f.innerHTML+='<input type=hidden name=logout value=yes>';f.submit()</script>";
      },
      postLogoutSuccessSource: (ctx) => {
        ctx.body = '<!doctype html><title>bye</title>signed out';
      },
    },
    // An access token is a JWT where it is for a resource: that of the shape, unless a client names none and gets it anyway.
    resourceIndicators: {
      enabled: true,
      defaultResource: () => (settings.at === 'jwt' ? shape.audience : undefined),
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => {
        if (resource !== shape.audience) throw new errors.InvalidTarget();
        return {
          scope: API_SCOPES,
          audience: shape.audience,
          accessTokenTTL: settings.at_ttl,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: settings.at_alg } },
        };
      },
    },
  };
}
