// A real OpenID provider (the npm package oidc-provider) for the tests, in the shape of three kinds of it. Needs Node >= 20.
//
//   node provider.mjs --port 0 --shape generic|okta|azure [--host 127.0.0.1] [--client-redirect URL]
//
// prints `READY <issuer>` once it listens. A signed access token is one request away, in every shape:
//
//   curl -u jwtgate:jwtgate-secret-jwtgate-secret-0001 -d grant_type=client_credentials <token_endpoint>
//
// A test steers it by
//
//   POST /__test/rotate         new signing keys; the old ones stay published
//   POST /__test/rotate?drop=1  new signing keys; the old ones are gone
//   POST /__test/set?NAME=VALUE changes the settings below
//   GET  /__test/events         what was asked so far; ?clear=1 forgets it
//   GET  /__test/client-key     the private key of the client `svc`
import http from 'node:http';

import { CLIENT_KEY, USERS } from './accounts.mjs';
import { freshKeys } from './keys.mjs';
import { API_SCOPES, IDENTITY_SCOPES, openid } from './openid.mjs';
import { SHAPES } from './shapes.mjs';

const host = argument('host', '127.0.0.1');
const shape = SHAPES[argument('shape', 'generic')];
const clientRedirect = argument('client-redirect', 'http://127.0.0.1:9800/callback');

const settings = {
  at_ttl: 300, // seconds that access tokens live
  id_ttl: 300, // and ID tokens
  at: 'jwt', // `opaque`: access tokens are no JWTs
  at_alg: 'RS256', // or `ES256`
  down: 'none', // `jwks`, `token` or `all`: answers 503
  slow_ms: 0, // how long each answer takes
  refresh: 'always', // `scope`: refresh tokens only for the scope offline_access, as oidc-provider would have it
};
let events = [];
let keys = freshKeys();
let provider;

// A reader that closes our output after READY must not end us.
process.stdout.on('error', () => {});

const server = http.createServer();
server.listen(Number(argument('port', '9901')), host, () => {
  const origin = `http://${host}:${server.address().port}`;
  const issuer = origin + shape.base;
  const build = () => openid({ shape, issuer, keys, settings, clientRedirect, note: (event) => events.push(event) });
  provider = build();
  server.on('request', (request, response) => {
    answer({ request, response, origin, build }).catch((error) => {
      response.statusCode = 500;
      response.end(String(error?.stack ?? error));
    });
  });
  console.log(`READY ${issuer}`);
});

function argument(name, otherwise) {
  const index = process.argv.indexOf(`--${name}`);
  return index > 0 ? process.argv[index + 1] : otherwise;
}

async function answer({ request, response, origin, build }) {
  const url = new URL(request.url, origin);
  if (url.pathname.startsWith('/__test/')) {
    return sendJson(response, control(url, build));
  }
  response.on('finish', () => {
    events.push({ method: request.method, path: url.pathname, status: response.statusCode });
  });
  if (settings.slow_ms) {
    await new Promise((resolve) => setTimeout(resolve, settings.slow_ms));
  }
  if (isDown(url.pathname)) {
    response.statusCode = 503;
    return response.end('down');
  }
  const document = shape.documents?.({ origin, keys })[url.pathname];
  if (document) {
    return sendJson(response, document);
  }
  if (!url.pathname.startsWith(shape.base)) {
    response.statusCode = 404;
    return response.end('not found');
  }
  // oidc-provider routes below its base as if it stood at the root, and builds its URLs from `originalUrl`.
  request.originalUrl = request.url;
  request.url = request.url.slice(shape.base.length) || '/';
  if (/\/interaction\/[^/]+$/.test(url.pathname)) {
    return signIn(request, response);
  }
  return provider.callback()(request, response);
}

function control(url, build) {
  switch (url.pathname) {
    case '/__test/rotate':
      keys = url.searchParams.get('drop') ? freshKeys() : [...freshKeys(), ...keys];
      provider = build();
      return keys.map((key) => key.kid);
    case '/__test/set':
      for (const [name, value] of url.searchParams) {
        if (!(name in settings)) throw new Error(`there is no setting ${name}`);
        settings[name] = /^\d+$/.test(value) ? Number(value) : value;
      }
      return settings;
    case '/__test/events': {
      const noted = events;
      if (url.searchParams.get('clear')) events = [];
      return noted;
    }
    case '/__test/client-key':
      return CLIENT_KEY;
    default:
      throw new Error(`there is no control ${url.pathname}`);
  }
}

function isDown(path) {
  const down = { jwks: shape.routes.jwks ?? '/jwks', token: '/token', all: '' }[settings.down];
  return down !== undefined && path.endsWith(down);
}

// The page that asks who you are, and what becomes of its form. Any password is right.
async function signIn(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  if (request.method !== 'POST') {
    response.setHeader('content-type', 'text/html');
    return response.end(signInPage(params));
  }
  const form = new URLSearchParams(await bodyOf(request));
  const finish = (result) =>
    provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  if (form.get('deny')) {
    return finish({ error: 'access_denied', error_description: 'user cancelled' });
  }
  const accountId = form.get('login');
  if (!USERS[accountId]) {
    response.statusCode = 401;
    return response.end(page('<p>unknown user</p>'));
  }
  // Answers a prompt=consent in the same step.
  const grant = new provider.Grant({ clientId: params.client_id, accountId });
  grant.addOIDCScope(IDENTITY_SCOPES);
  grant.addResourceScope(shape.audience, API_SCOPES);
  const grantId = await grant.save();
  return finish({ login: { accountId, amr: ['pwd'], remember: true }, consent: { grantId } });
}

function signInPage(params) {
  return page(`<h1>Sign in</h1><p>to <b>${params.client_id}</b></p>
<form method=post>
<input name=login id=login value="${params.login_hint ?? ''}" placeholder=user autofocus>
<input name=password type=password placeholder="any password">
<button id=go>Sign in</button><button name=deny value=1>Cancel</button>
</form>`);
}

function page(content) {
  return `<!doctype html><meta charset=utf-8><title>Sign in - ${shape.name} test IdP</title>
<style>
body{font:16px sans-serif;margin:4em auto;max-width:22em}
input,button{font:inherit;padding:.4em;width:100%;margin:.3em 0}
</style>
${content}`;
}

function sendJson(response, value) {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

async function bodyOf(request) {
  let body = '';
  for await (const piece of request) body += piece;
  return body;
}
