"""The verifier that jwtgate replaces, less everything but the verification: Tornado and PyJWT. Needs both (BENCH_PYTHON)."""

import asyncio
import sys

import jwt
import tornado.web

KEY_FILE, ALGORITHM, PORT, ISSUER, AUDIENCE = sys.argv[1:]
KEY = open(KEY_FILE).read().strip()


class Verify(tornado.web.RequestHandler):
    def get(self):
        token = self.request.headers.get("Authorization", "")[len("Bearer "):]
        try:
            claims = jwt.decode(token, KEY, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER)
        except jwt.InvalidTokenError:
            self.set_status(401)
            return
        self.set_header("X-Auth-User", claims["preferred_username"])


async def main():
    tornado.web.Application([(r"/.*", Verify)]).listen(int(PORT), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
