#!/usr/bin/env python3
"""Writes foreign.json: tokens made by implementations that share no code with jwtgate.

    python3 generate.py > foreign.json          (README.md says what to install)

Good tokens come from joserfc and PyJWT. Every other token is put together by hand around a PyJWT signature, because no
library would make it. Before a case is written, joserfc checks over the exact bytes that its signature is right (so that
the refusal must have another reason) or wrong, wherever the case claims one of the two. Each run makes new keys; private
halves are never kept.
"""

import base64
import datetime
import hashlib
import hmac
import itertools
import json
import os
import sys

import jwt as pyjwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from joserfc import jwe, jws
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import import_key

NOW, LEEWAY = 1780000000, 30
AUD, ISS = "https://app.example.test", "https://idp.example.test"
MAX_TOKEN = 16 * 1024

HMAC = ["HS256", "HS384", "HS512"]
RSA_1, RSA_PSS = ["RS256", "RS384", "RS512"], ["PS256", "PS384", "PS512"]
ECDSA = ["ES256", "ES384", "ES512"]
ALL = HMAC + RSA_1 + RSA_PSS + ECDSA + ["EdDSA"]
COMMON = ["HS256", "RS256", "ES256"]  # for what does not depend on the algorithm

KEY_OF = dict(zip(HMAC, ["hs256", "hs384", "hs512"])) | dict.fromkeys(RSA_1 + RSA_PSS, "rsa2048")
KEY_OF |= dict(zip(ECDSA, ["p256", "p384", "p521"])) | {"EdDSA": "ed25519"}
CURVE = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
CRV = {"p256": "P-256", "p384": "P-384", "p521": "P-521"}
ORDER = {alg: CURVE[KEY_OF[alg]]().group_order for alg in ECDSA}
SIZE = {"ES256": 32, "ES384": 48, "ES512": 66}
ED_ORDER = 2**252 + 27742317777372353535851937790883648493
SIGNER = pyjwt.algorithms.get_default_algorithms()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def utf8(text) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def dump(value) -> str:
    return json.dumps(value, separators=(",", ":"))


# --- keys -------------------------------------------------------------------------------------------------------------


def fresh(name: str):
    if name.startswith("hs"):
        return os.urandom(64)
    if name == "rsa2048":
        return rsa.generate_private_key(65537, 2048)
    if name == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(CURVE[name]())


def spki(private, form) -> bytes:
    return private.public_key().public_bytes(form, serialization.PublicFormat.SubjectPublicKeyInfo)


def jwk_of(name: str, key, kid: str) -> dict:
    if name.startswith("hs"):
        return {"kty": "oct", "kid": kid, "use": "sig", "k": b64(key)}
    public = key.public_key()
    if name == "rsa2048":
        n = public.public_numbers()
        return {"kty": "RSA", "kid": kid, "use": "sig", "n": b64(n.n.to_bytes(256, "big")), "e": "AQAB"}
    if name == "ed25519":
        return {"kty": "OKP", "kid": kid, "use": "sig", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}
    n, size = public.public_numbers(), (public.curve.key_size + 7) // 8
    x, y = (b64(v.to_bytes(size, "big")) for v in (n.x, n.y))
    return {"kty": "EC", "kid": kid, "use": "sig", "crv": CRV[name], "x": x, "y": y}


KEYS = {name: fresh(name) for name in dict.fromkeys(KEY_OF.values())}
ATTACKER = {name: fresh(name) for name in KEYS}
JWK = {name: jwk_of(name, key, f"vector-{name}") for name, key in KEYS.items()}


def raw_sign(alg: str, key, message: bytes) -> bytes:
    """The signature bytes of RFC 7518 over `message`, by PyJWT (HMAC by the standard library: PyJWT refuses odd secrets)."""
    if alg in HMAC:
        return hmac.new(key, message, "sha" + alg[2:]).digest()
    return SIGNER[alg].sign(message, key)


def right_signature(alg: str, signing_input: bytes, signature: bytes) -> bool:
    """joserfc's answer for the configured key under the configured algorithm."""
    try:
        return jws.JWSRegistry.algorithms[alg].verify(signing_input, signature, import_key(JWK[KEY_OF[alg]])) is True
    except Exception:
        return False


# --- building tokens --------------------------------------------------------------------------------------------------

BASE_CLAIMS = {
    "iss": ISS,
    "aud": AUD,
    "sub": "user-1",
    "username": "alice",
    "groups": ["staff", "dev"],
    "iat": 1767225600,
    "nbf": 1767225600,
    "exp": 4102444800,
}


def header(alg: str, /, **fragments) -> str:
    """The usual header as JSON text; every argument is a raw JSON fragment, None leaves the member out."""
    members = {"alg": dump(alg), "typ": '"JWT"', "kid": dump(JWK[KEY_OF[alg]]["kid"])} | fragments
    return "{" + ",".join(f'"{k}":{v}' for k, v in members.items() if v is not None) + "}"


def body(**fragments) -> str:
    """The usual claims as JSON text; arguments as in `header`."""
    members = {k: dump(v) for k, v in BASE_CLAIMS.items()} | fragments
    return "{" + ",".join(f'"{k}":{v}' for k, v in members.items() if v is not None) + "}"


def input_of(head, claims) -> str:
    return b64(utf8(head)) + "." + b64(utf8(claims))


def signed(alg: str, head=None, claims=None, key=None, sign_as=None) -> str:
    text = input_of(header(alg) if head is None else head, body() if claims is None else claims)
    return seal(alg, text, key, sign_as)


def seal(alg: str, text: str, key=None, sign_as=None) -> str:
    """`text` as it stands, and a signature over exactly these bytes."""
    return text + "." + b64(raw_sign(sign_as or alg, KEYS[KEY_OF[alg]] if key is None else key, text.encode()))


CASES: list[dict] = []
SEEN: set[str] = set()


def case(cls, name, alg, token, verdict, note, user=None, signature=None):
    """`signature`: "right" or "wrong" is checked with joserfc; None where the question makes no sense."""
    ident = f"{alg.lower()}-{cls}-{name}"
    assert ident not in SEEN, ident
    SEEN.add(ident)
    if signature:
        text, _, last = token.rpartition(".")
        assert right_signature(alg, text.encode(), unb64(last)) == (signature == "right"), ident
    entry = {"id": ident, "class": cls, "algorithm": alg, "key": KEY_OF[alg], "token": token, "verdict": verdict}
    if verdict == "accept":
        entry["user"] = "alice" if user is None else user
    CASES.append(entry | {"note": note})


def accept(cls, name, alg, token, note, user=None):
    case(cls, name, alg, token, "accept", note, user, "right")


def refuse(cls, name, alg, token, note, signature=None):
    case(cls, name, alg, token, "refuse", note, None, signature)


# --- per algorithm ----------------------------------------------------------------------------------------------------


def good(alg):
    key = KEYS[KEY_OF[alg]]
    head = {"alg": alg, "typ": "JWT", "kid": JWK[KEY_OF[alg]]["kid"]}
    if alg in HMAC:
        joserfc_key, pyjwt_key, public = import_key(key, "oct"), key, key
    else:
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        kty = {"R": "RSA", "P": "RSA"}.get(alg[0], "OKP" if alg == "EdDSA" else "EC")
        joserfc_key, pyjwt_key, public = import_key(pem, kty), key, key.public_key()
    first = joserfc_jwt.encode(head, BASE_CLAIMS, joserfc_key, algorithms=[alg])
    second = pyjwt.encode(BASE_CLAIMS, pyjwt_key, algorithm=alg, headers={"kid": head["kid"]})
    for token in (first, second):
        claims = pyjwt.decode(token, public, algorithms=[alg], audience=AUD, issuer=ISS)
        assert claims == BASE_CLAIMS
    accept("good", "joserfc", alg, first, "made by joserfc, checked by PyJWT")
    accept("good", "pyjwt", alg, second, "made by PyJWT, checked by joserfc")
    accept("good", "alg-only-header", alg, signed(alg, f'{{"alg":"{alg}"}}'), "neither typ nor kid")


def tampered(alg):
    token = signed(alg)
    head, claims, sig = token.split(".")
    raw, cls = unb64(sig), "sig-tamper"

    def with_signature(name, data, note):
        refuse(cls, name, alg, f"{head}.{claims}.{b64(data)}", note, "wrong")

    for name, at in (("first", 0), ("middle", len(raw) // 2), ("last", len(raw) - 1)):
        flipped = bytearray(raw)
        flipped[at] ^= 1
        with_signature(f"bit-{name}-byte", bytes(flipped), f"one bit of the {name} signature byte flipped")
    other = bytes(unb64(claims)).replace(b'"alice"', b'"alicd"')
    refuse(cls, "payload-bit", alg, f"{head}.{b64(other)}.{sig}", "one bit of the payload flipped: alice -> alicd", "wrong")
    other = unb64(head).replace(b'"JWT"', b'"JWU"')
    refuse(cls, "header-bit", alg, f"{b64(other)}.{claims}.{sig}", "one bit of the header flipped: JWT -> JWU", "wrong")
    with_signature("truncated-byte", raw[:-1], "the last signature byte is missing")
    with_signature("truncated-half", raw[: len(raw) // 2], "the second half of the signature is missing")
    with_signature("extended", raw + b"\0", "one zero byte behind the signature")
    with_signature("doubled", raw + raw, "the signature twice")
    with_signature("zeros", bytes(len(raw)), "all zero")
    with_signature("ones", b"\xff" * len(raw), "all one")
    refuse(cls, "empty", alg, f"{head}.{claims}.", "empty signature", "wrong")
    refuse(cls, "no-third-part", alg, f"{head}.{claims}", "header and payload only")
    with_signature("other-payload", unb64(signed(alg, None, body(sub='"user-2"')).split(".")[2]), "of another payload")
    stolen = signed(alg, key=ATTACKER[KEY_OF[alg]])
    refuse(cls, "other-key", alg, stolen, "signed by another key of the same type, same kid", "wrong")


def no_algorithm(alg):
    for spelling in ("none", "None", "NONE", "nOnE"):
        text = input_of(header(alg, alg=dump(spelling)), body())
        refuse("alg-none", f"{spelling}-empty", alg, text + ".", "unsecured, empty signature")
        refuse("alg-none", f"{spelling}-garbage", alg, text + "." + b64(os.urandom(32)), "unsecured, random signature")
        refuse("alg-none", f"{spelling}-two-parts", alg, text, "unsecured, no third part")
    signature_too = seal(alg, input_of(header(alg, alg='"none"'), body()))
    refuse("alg-none", "right-signature", alg, signature_too, "alg none over a signature that is right", "right")


def algorithm_name(alg):
    names = {
        "lower": dump(alg.lower()),
        "upper": None if alg == alg.upper() else dump(alg.upper()),
        "blank-behind": dump(alg + " "),
        "blank-before": dump(" " + alg),
        "nul-behind": dump(alg + "\0"),
        "empty": '""',
        "null": "null",
        "number": "256",
        "true": "true",
        "list": dump([alg]),
        "object": dump({"alg": alg}),
        "unknown": '"XX256"',
    }
    for name, fragment in names.items():
        if fragment:
            token = signed(alg, header(alg, alg=fragment))
            refuse("alg-name", name, alg, token, f"alg is {fragment}; the signature is right", "right")
    refuse("alg-name", "missing", alg, signed(alg, header(alg, alg=None)), "no alg; the signature is right", "right")
    member_case = "{" + f'"Alg":"{alg}","kid":{dump(JWK[KEY_OF[alg]]["kid"])}' + "}"
    refuse("alg-name", "member-case", alg, signed(alg, member_case), 'member "Alg" instead of "alg"', "right")


def algorithm_list(alg):
    """Right for the key, but not the configured algorithm; and a name that does not tell what was really done."""
    if alg == "EdDSA":
        return
    family = next(f for f in (HMAC, RSA_1, RSA_PSS, ECDSA) if alg in f)
    for other in family:
        if other == alg:
            continue
        if family is ECDSA:  # PyJWT binds curve and hash; make the odd pairs here
            digest = getattr(hashes, "SHA" + other[2:])()
            text = input_of(header(alg, alg=dump(other)), body()).encode()
            r, s = decode_dss_signature(KEYS[KEY_OF[alg]].sign(text, ec.ECDSA(digest)))
            sig = r.to_bytes(SIZE[alg], "big") + s.to_bytes(SIZE[alg], "big")
            token = text.decode() + "." + b64(sig)
            refuse("alg-list", other.lower(), alg, token, f"{other} with a key of another curve")
            text = input_of(header(alg), body()).encode()
            r, s = decode_dss_signature(KEYS[KEY_OF[alg]].sign(text, ec.ECDSA(digest)))
            sig = r.to_bytes(SIZE[alg], "big") + s.to_bytes(SIZE[alg], "big")
            token = text.decode() + "." + b64(sig)
            refuse("alg-list", f"hash-of-{other.lower()}", alg, token, f"says {alg}, hashed as {other}", "wrong")
            continue
        token = signed(alg, header(alg, alg=dump(other)), sign_as=other)
        refuse("alg-list", other.lower(), alg, token, f"right {other} by this key, but only {alg} is configured")
        token = signed(alg, sign_as=other)
        refuse("alg-list", f"as-{other.lower()}", alg, token, f"says {alg}, signed as {other}", "wrong")
    if alg in RSA_1 + RSA_PSS:
        twin = ("PS" if alg[0] == "R" else "RS") + alg[2:]
        token = signed(alg, sign_as=twin)
        refuse("alg-list", f"padding-of-{twin.lower()}", alg, token, f"says {alg}, padded as {twin}", "wrong")
        token = signed(alg, header(alg, alg=dump(twin)), sign_as=twin)
        refuse("alg-list", twin.lower(), alg, token, f"right {twin} by this key, but only {alg} is configured")


def confusion(alg):
    key, name = KEYS[KEY_OF[alg]], KEY_OF[alg]
    if alg in HMAC:
        secrets = {
            "empty": b"",
            "base64-text": base64.b64encode(key),
            "base64url-text": b64(key).encode(),
            "hex-text": key.hex().encode(),
            "with-newline": key + b"\n",
            "jwk-json": dump(JWK[name]).encode(),
        }
        for label, secret in secrets.items():
            token = signed(alg, key=secret)
            refuse("alg-confusion", f"secret-{label}", alg, token, f"HMAC keyed with: {label}", "wrong")
        return
    pem = spki(key, serialization.Encoding.PEM)
    secrets = {
        "empty": b"",
        "pem-lf": pem,
        "pem-crlf": pem.replace(b"\n", b"\r\n"),
        "pem-no-last-newline": pem.rstrip(b"\n"),
        "pem-crlf-no-last-newline": pem.rstrip(b"\n").replace(b"\n", b"\r\n"),
        "pem-newline-before": b"\n" + pem,
        "pem-blank-before": b" " + pem,
        "pem-base64-only": b"".join(pem.splitlines()[1:-1]),
        "der": spki(key, serialization.Encoding.DER),
        "jwk-json": dump(JWK[name]).encode(),
        "jwk-json-spaced": json.dumps(JWK[name]).encode(),
        "jwks-json": dump({"keys": [JWK[name]]}).encode(),
        "kid": JWK[name]["kid"].encode(),
    }
    if name == "rsa2048":
        pkcs1 = serialization.PublicFormat.PKCS1
        public = key.public_key()
        secrets["pkcs1-pem"] = public.public_bytes(serialization.Encoding.PEM, pkcs1)
        secrets["pkcs1-der"] = public.public_bytes(serialization.Encoding.DER, pkcs1)
        secrets["n-bytes"] = unb64(JWK[name]["n"])
        secrets["n-text"] = JWK[name]["n"].encode()
    else:
        secrets["x-bytes"] = unb64(JWK[name]["x"])
        secrets["x-text"] = JWK[name]["x"].encode()
    for label, secret in secrets.items():
        text = input_of(header(alg, alg='"HS256"'), body())
        token = text + "." + b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())
        refuse("alg-confusion", f"hs256-{label}", alg, token, f"HS256 keyed with the public key as: {label}")
    text = input_of(header(alg), body())
    token = text + "." + b64(hmac.new(pem, text.encode(), hashlib.sha256).digest())
    refuse("alg-confusion", "hmac-under-own-name", alg, token, f"says {alg}, but is an HMAC keyed with the PEM", "wrong")


def attacker_certificate(private) -> str:
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "attacker.example")])
    builder = x509.CertificateBuilder(who, who, private.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.datetime(2025, 1, 1)).not_valid_after(datetime.datetime(2099, 1, 1))
    digest = None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    der = builder.sign(private, digest).public_bytes(serialization.Encoding.DER)
    return base64.b64encode(der).decode()


def embedded(alg):
    name = KEY_OF[alg]
    key = ATTACKER[name]

    def attack(label, note, **members):
        token = signed(alg, header(alg, **members), key=key)
        refuse("key-embed", label, alg, token, note + ", signed by the attacker's key", "wrong")

    attack("jwk", "header jwk holds the attacker's key", jwk=dump(jwk_of(name, key, "attacker")))
    own = jwk_of(name, key, JWK[name]["kid"])
    attack("jwk-same-kid", "header jwk holds the attacker's key under the right kid", jwk=dump(own))
    attack("jwk-new-kid", "the same with its own kid", jwk=dump(jwk_of(name, key, "attacker")), kid='"attacker"')
    attack("jwk-no-kid", "the same without kid", jwk=dump(jwk_of(name, key, "attacker")), kid=None)
    attack("jku", "jku points elsewhere", jku='"https://attacker.example/jwks.json"')
    attack("x5u", "x5u points elsewhere", x5u='"https://attacker.example/cert.pem"')
    if alg not in HMAC:
        attack("x5c", "x5c holds the attacker's certificate", x5c=dump([attacker_certificate(key)]))
    for label, kid in (("path", "../../../../dev/null"), ("sql", "x' UNION SELECT 'key'--"), ("shell", "k|sleep 9")):
        text = input_of(header(alg, alg='"HS256"', kid=dump(kid)), body())
        for secret_name, secret in (("empty", b""), ("key", b"key")):
            token = text + "." + b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())
            refuse("key-kid", f"{label}-{secret_name}", alg, token, f"kid {kid!r}, HS256 keyed with {secret!r}")


def ecdsa(alg):
    size, n = SIZE[alg], ORDER[alg]
    token = signed(alg)
    text, sig = token.rsplit(".", 1)
    r, s = (int.from_bytes(part, "big") for part in (unb64(sig)[:size], unb64(sig)[size:]))

    def pair(name, r, s, note, width=size):
        data = r.to_bytes(width, "big") + s.to_bytes(width, "big")
        refuse("sig-ecdsa", name, alg, text + "." + b64(data), note, "wrong")

    der = encode_dss_signature(r, s)
    refuse("sig-ecdsa", "der", alg, text + "." + b64(der), "the right signature in DER form", "wrong")
    pair("both-zero", 0, 0, "r = s = 0")
    pair("r-zero", 0, s, "r = 0")
    pair("s-zero", r, 0, "s = 0")
    pair("both-one", 1, 1, "r = s = 1")
    pair("both-order", n, n, "r = s = n")
    pair("r-order", n, s, "r = n")
    pair("s-order", r, n, "s = n")
    pair("r-order-s-one", n, 1, "r = n, s = 1")
    pair("r-beyond-order", n + 1, s, "r = n + 1")
    pair("swapped", s, r, "r and s swapped")
    pair("wide", r, s, "each number one byte too long", size + 1)
    if s + n < 1 << (8 * size):
        pair("s-plus-order", r, s + n, "s + n: equal modulo n, out of range")
    for i in itertools.count():  # numbers with a leading zero byte: the padded form is right, the short one is not
        candidate = seal(alg, input_of(header(alg), body(jti=f'"{i}"')))
        data = unb64(candidate.rsplit(".", 1)[1])
        if data[0] == 0 and (alg != "ES512" or data[1] == 0):
            break
    accept("sig-ecdsa", "leading-zero", alg, candidate, "r begins with a zero byte and is padded to full width")
    text = candidate.rsplit(".", 1)[0]
    refuse("sig-ecdsa", "leading-zero-cut", alg, text + "." + b64(data[1:]), "the same without that zero byte", "wrong")


def rsa_padding(alg):
    key, digest = KEYS["rsa2048"], getattr(hashes, "SHA" + alg[2:])()
    text = input_of(header(alg), body())
    numbers = key.private_numbers()
    n, d = numbers.public_numbers.n, numbers.d

    def put(name, signature, note, check="wrong"):
        refuse("sig-rsa", name, alg, text + "." + b64(signature), note, check)

    for i in itertools.count():  # s + n must still fit 256 bytes
        longer = seal(alg, input_of(header(alg), body(jti=f'"{i}"')))
        s = int.from_bytes(unb64(longer.rsplit(".", 1)[1]), "big")
        if s + n < 1 << 2048:
            break
    moved = longer.rsplit(".", 1)[0] + "." + b64((s + n).to_bytes(256, "big"))
    refuse("sig-rsa", "plus-modulus", alg, moved, "signature + n: equal modulo n, out of range", "wrong")
    right = raw_sign(alg, key, text.encode())
    put("zero-before", b"\0" + right, "one zero byte before the signature", None)
    put("value-one", (1).to_bytes(256, "big"), "the number 1")
    put("value-n-minus-one", (n - 1).to_bytes(256, "big"), "the number n - 1")
    put("value-n", n.to_bytes(256, "big"), "the number n")
    if alg in RSA_PSS:
        full = digest.digest_size
        for name, salt in (("0", 0), ("short", full - 1), ("long", full + 1), ("20", 20)):
            pss = padding.PSS(padding.MGF1(digest), salt)
            put(f"salt-{name}", key.sign(text.encode(), pss, digest), f"salt of {salt} bytes instead of {full}", None)
        for other in (hashes.SHA1(), hashes.SHA256(), hashes.SHA384()):
            if other.name != digest.name:
                pss = padding.PSS(padding.MGF1(other), full)
                note = f"mask made with {other.name} instead of {digest.name}"
                put(f"mgf1-{other.name}", key.sign(text.encode(), pss, digest), note)
        return
    oid = {"RS256": 1, "RS384": 2, "RS512": 3}[alg]
    md = hashlib.new("sha" + alg[2:], text.encode()).digest()
    algorithm = bytes.fromhex("06096086480165030402") + bytes([oid])

    def der(tag, content):
        return bytes([tag, len(content)]) + content

    info = der(0x30, der(0x30, algorithm + b"\x05\0") + der(4, md))

    def power(block):
        return pow(int.from_bytes(block, "big"), d, n).to_bytes(256, "big")

    def block(content, kind=1, fill=b"\xff"):
        return bytes([0, kind]) + fill * (253 - len(content)) + b"\0" + content

    assert power(block(info)) == right
    put("no-null", power(block(der(0x30, der(0x30, algorithm) + der(4, md)))), "DigestInfo without NULL")
    put("bare-hash", power(block(md)), "the hash without DigestInfo")
    put("block-type-2", power(block(info, 2)), "block type 2")
    put("block-type-0", power(block(info, 0, b"\0")), "block type 0, filled with zeros")
    garbage = os.urandom(256 - 11 - len(info))
    put("garbage-behind", power(b"\0\1" + b"\xff" * 8 + b"\0" + info + garbage), "short padding, garbage behind the hash")
    put("fill-byte", power(block(info).replace(b"\xff\xff", b"\xff\xfe", 1)), "one fill byte is FE")
    long_form = b"\x30\x81" + bytes([len(info) - 2]) + info[2:]
    put("long-length", power(block(long_form)), "DigestInfo with a length in BER long form")
    in_null = der(0x30, der(0x30, algorithm + b"\x05\x02\xab\xcd") + der(4, md))
    put("garbage-in-null", power(block(in_null)), "garbage inside the NULL parameter")


def eddsa(alg):
    text, sig = signed(alg).rsplit(".", 1)
    raw = unb64(sig)
    s = int.from_bytes(raw[32:], "little")

    def put(name, data, note):
        refuse("sig-eddsa", name, alg, text + "." + b64(data), note, "wrong")

    put("s-plus-order", raw[:32] + (s + ED_ORDER).to_bytes(32, "little"), "S + L: equal modulo L, out of range")
    put("s-zero", raw[:32] + bytes(32), "S = 0")
    put("identity", b"\1" + bytes(63), "R is the neutral point, S = 0")
    put("halves-swapped", raw[32:] + raw[:32], "R and S swapped")
    put("r-sign-bit", raw[:31] + bytes([raw[31] ^ 0x80]) + raw[32:], "sign bit of R flipped")
    refuse("sig-eddsa", "ed448-name", alg, signed(alg, header(alg, alg='"Ed448"')), "alg Ed448", "right")


# --- token text -------------------------------------------------------------------------------------------------------


def spare_bits(text: str) -> str:
    """The same bytes for a careless decoder: an unused bit of the last character set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(text) % 4 in (2, 3)
    changed = text[:-1] + alphabet[alphabet.index(text[-1]) | 1]
    assert changed != text and unb64(changed) == unb64(text)
    return changed


def until(build, wanted) -> str:
    """Lengthens a pad member until the encoded text has the wanted property."""
    return next(text for i in range(64) if wanted(text := b64(build(("????>>>>" * 8)[:i]).encode())))


def base64_rules(alg):
    cls = "base64"
    head, claims, sig = signed(alg).split(".")
    loose_head = until(lambda p: header(alg, x=dump(p)), lambda t: len(t) % 4 in (2, 3))
    loose_claims = until(lambda p: body(x=dump(p)), lambda t: len(t) % 4 in (2, 3))
    special = lambda t: "-" in t and "_" in t  # noqa: E731
    odd_head = until(lambda p: header(alg, x=dump(p)), special)
    odd_claims = until(lambda p: body(x=dump(p)), special)

    def put(name, text, note):
        refuse(cls, name, alg, seal(alg, text), note + "; signed over exactly this text", "right")

    accept(cls, "url-alphabet", alg, seal(alg, f"{odd_head}.{odd_claims}"), "header and payload hold - and _")
    fill = lambda t: t + "=" * (-len(t) % 4)  # noqa: E731
    put("padded-header", f"{fill(loose_head)}.{claims}", "header with =")
    put("padded-payload", f"{head}.{fill(loose_claims)}", "payload with =")
    refuse(cls, "padded-signature", alg, f"{head}.{claims}.{fill(sig)}", "signature with =")
    refuse(cls, "percent-padded-signature", alg, f"{head}.{claims}.{sig}%3D", "signature with %3D")
    put("spare-bits-header", f"{spare_bits(loose_head)}.{claims}", "header with an unused bit set")
    put("spare-bits-payload", f"{head}.{spare_bits(loose_claims)}", "payload with an unused bit set")
    refuse(cls, "spare-bits-signature", alg, f"{head}.{claims}.{spare_bits(sig)}", "signature with an unused bit set")
    standard = lambda t: t.replace("-", "+").replace("_", "/")  # noqa: E731
    put("standard-header", f"{standard(odd_head)}.{claims}", "header in the alphabet with + and /")
    put("standard-payload", f"{head}.{standard(odd_claims)}", "payload in the alphabet with + and /")
    for i in itertools.count():
        token = seal(alg, input_of(header(alg), body(jti=f'"{i}"')))
        text, last = token.rsplit(".", 1)
        if "-" in last and "_" in last:
            break
    refuse(cls, "standard-signature", alg, text + "." + standard(last), "signature in the alphabet with + and /")
    put("single-character-left", f"{head}.{claims[: len(claims) - len(claims) % 4]}A", "length 1 modulo 4")
    for label, extra in (("blank", " "), ("newline", "\n"), ("crlf", "\r\n"), ("tab", "\t"), ("nul", "\0")):
        put(f"{label}-in-header", f"{head[:8]}{extra}{head[8:]}.{claims}", f"{label} inside the header")
        put(f"{label}-in-payload", f"{head}.{claims[:8]}{extra}{claims[8:]}", f"{label} inside the payload")
        for where, value in (("in", sig[:8] + extra + sig[8:]), ("behind", sig + extra), ("before", extra + sig)):
            refuse(cls, f"{label}-{where}-signature", alg, f"{head}.{claims}.{value}", f"{label} {where} the signature")
        refuse(cls, f"{label}-before-token", alg, extra + f"{head}.{claims}.{sig}", f"{label} before the token")
    put("not-ascii", f"{head}.{claims[:8]}\u00e9{claims[8:]}", "a character outside ASCII in the payload")
    put("other-character", f"{head}.{claims[:8]}!{claims[8:]}", "! inside the payload")


def shape(alg):
    cls = "shape"
    token = signed(alg)
    head, claims, sig = token.split(".")
    flat = {"payload": claims, "protected": head, "signature": sig}
    for name, text, note in (
        ("four-parts", token + ".x", "a fourth part"),
        ("dot-behind", token + ".", "a dot behind the token"),
        ("dot-before", "." + token, "a dot before the token"),
        ("double-dot", f"{head}..{claims}.{sig}", "an empty part in the middle"),
        ("twice-comma", f"{token},{token}", "two tokens with a comma"),
        ("twice-blank", f"{token} {token}", "two tokens with a blank"),
        ("twice-joined", token + token, "two tokens in one"),
        ("one-part", head, "the header alone"),
        ("two-dots", "..", "three empty parts"),
        ("many-dots", "." * 12000, "12 000 dots"),
        ("many-dots-behind", token + "." * 12000, "a good token and 12 000 dots"),
        ("quoted", f'"{token}"', "in double quotes"),
        ("percent-dots", token.replace(".", "%2E"), "dots percent-encoded"),
        ("bearer-twice", "Bearer " + token, "the scheme inside the token"),
        ("flattened-json", dump(flat), "flattened JSON serialisation with a right signature"),
        ("general-json", dump({"payload": claims, "signatures": [{"protected": head, "signature": sig}]}), "general JSON"),
        ("json-in-header-place", dump(flat) + "." + claims + "." + sig, "flattened JSON in place of the header"),
        ("fullwidth-dots", token.replace(".", "\uff0e"), "dots replaced by U+FF0E"),
        ("parts-swapped", f"{claims}.{head}.{sig}", "payload and header swapped"),
        ("semicolon", token + ";", "a semicolon behind the token"),
    ):
        refuse(cls, name, alg, text, note)
    refuse(cls, "empty-header", alg, seal(alg, "." + claims), "empty header part, signed over this text", "right")
    refuse(cls, "empty-payload", alg, seal(alg, head + "."), "empty payload part, signed over this text", "right")
    refuse(cls, "detached", alg, f"{head}..{sig}", "payload taken out after signing", "wrong")


def critical(alg):
    def put(cls, name, note, **members):
        refuse(cls, name, alg, signed(alg, header(alg, **members)), note + "; the signature is right", "right")

    put("crit", "unknown", "crit names an unknown extension", crit='["x"]', x="1")
    put("crit", "unknown-absent", "crit names a member that is not there", crit='["x"]')
    put("crit", "uri", "crit names a URI", crit='["http://example.com/UNDEFINED"]', **{"http://example.com/UNDEFINED": "true"})
    put("crit", "known-name", "crit names a registered member", crit='["alg"]')
    put("crit", "exp", "crit names exp, with exp in the header", crit='["exp"]', exp="4102444800")
    put("crit", "empty", "crit is an empty list", crit="[]")
    put("crit", "string", "crit is a string", crit='"x"')
    put("crit", "null", "crit is null", crit="null")
    put("crit", "object", "crit is an object", crit="{}")
    put("crit", "true", "crit is true", crit="true")
    put("crit", "numbers", "crit is a list of numbers", crit="[1]")
    put("crit", "repeated", "crit names one member twice", crit='["x","x"]', x="1")
    put("crit", "b64-true", "crit names b64, b64 is true", crit='["b64"]', b64="true")
    put("crit", "b64-false-encoded", "b64 is false, yet the payload is encoded", crit='["b64"]', b64="false")
    put("crit", "b64-false-no-crit", "b64 is false, no crit", b64="false")
    put("jwe", "zip", "zip in the header of a JWS", zip='"DEF"')
    put("jwe", "enc", "enc in the header of a JWS", enc='"A256GCM"')
    text = b64(header(alg, crit='["b64"]', b64="false").encode()) + "." + body(x=None).replace(".", "\\u002e")
    refuse("crit", "b64-false", alg, seal(alg, text), "b64 is false, the payload is not encoded (RFC 7797)", "right")
    bare = input_of(header(alg, alg='"dir"', enc='"A256GCM"'), body())
    refuse("jwe", "enc-unsigned", alg, bare + ".", "alg dir and enc in three parts, nothing signed")
    bare = input_of(header(alg, enc='"A256GCM"'), body())
    refuse("jwe", "enc-no-signature", alg, bare + ".", "enc in the header, empty signature")
    nested = input_of(header(alg, cty='"JWT"'), signed(alg))
    refuse("jwe", "nested", alg, seal(alg, nested), "cty JWT: the payload is a signed token itself", "right")
    nested = input_of(header(alg, cty='"JWT"'), input_of('{"alg":"none"}', body()) + ".")
    refuse("jwe", "nested-none", alg, seal(alg, nested), "cty JWT: the payload is an unsecured token", "right")


def encrypted(alg):
    how = {"HS256": "dir", "RS256": "RSA-OAEP", "ES256": "ECDH-ES"}[alg]
    enc = "A256CBC-HS512" if alg == "HS256" else "A256GCM"
    head = {"alg": how, "enc": enc, "kid": JWK[KEY_OF[alg]]["kid"]}
    sealed = import_key({k: v for k, v in JWK[KEY_OF[alg]].items() if k != "use"})
    for name, plain, note in (
        ("claims", body(), "the claims"),
        ("unsigned", input_of('{"alg":"none"}', body()) + ".", "an unsecured token"),
        ("signed", signed(alg), "a good token"),
    ):
        members = head if name == "claims" else head | {"cty": "JWT"}
        token = jwe.encrypt_compact(members, plain.encode(), sealed, algorithms=[how, enc])
        refuse("jwe", f"encrypted-{name}", alg, token, f"{note}, encrypted with {how} to the configured key")
    pbes2 = {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2s": b64(os.urandom(16)), "p2c": 2**31 - 1}
    token = ".".join([b64(dump(pbes2).encode())] + [b64(os.urandom(n)) for n in (40, 12, 64, 16)])
    refuse("jwe", "pbes2-rounds", alg, token, "PBES2 with 2^31 - 1 rounds: must cost nothing")


# --- JSON -------------------------------------------------------------------------------------------------------------


def json_header(alg):
    cls, usual = "json-header", header(alg)
    inner, kid = usual[1:-1], dump(JWK[KEY_OF[alg]]["kid"])

    def put(cls, name, text, note):
        refuse(cls, name, alg, signed(alg, text), note + "; the signature is right", "right")

    put(cls, "list", f"[{usual}]", "a list")
    put(cls, "string", dump(alg), "a string")
    put(cls, "null", "null", "null")
    put(cls, "number", "1", "a number")
    put(cls, "empty-object", "{}", "no members")
    put(cls, "garbage-behind", usual + "x", "garbage behind the object")
    put(cls, "two-objects", usual + usual, "two objects")
    put(cls, "cut", usual[:-1], "the last brace is missing")
    put(cls, "bom", "\ufeff" + usual, "byte order mark")
    put(cls, "utf16", usual.encode("utf-16-le"), "UTF-16")
    put(cls, "invalid-utf8", header(alg, x='"#"').encode().replace(b"#", b"\xff"), "invalid UTF-8 in a member")
    put(cls, "nan", header(alg, x="NaN"), "NaN")
    put(cls, "infinity", header(alg, x="Infinity"), "Infinity")
    put(cls, "comment", "{/**/" + inner + "}", "a comment")
    put(cls, "comma-behind", "{" + inner + ",}", "a comma behind the last member")
    put(cls, "single-quotes", usual.replace('"', "'"), "single quotes")
    put(cls, "raw-newline", header(alg, x='"a\nb"'), "raw line feed in a string")
    put(cls, "nul-behind", usual + "\0", "NUL behind the object")
    put("json-deep", "header-lists", header(alg, x="[" * 3000 + "]" * 3000), "3 000 nested lists in the header")
    for kind, fragment in (("number", "1"), ("null", "null"), ("list", f"[{kid}]"), ("object", "{}"), ("true", "true")):
        put("key-kid", f"type-{kind}", header(alg, kid=fragment), f"kid is a {kind}")
    dup = "json-duplicate"
    put(dup, "header-alg-same", "{" + f'"alg":"{alg}",' + inner + "}", "alg twice, equal")
    put(dup, "header-alg-none-first", '{"alg":"none",' + inner + "}", "alg twice, none first")
    put(dup, "header-alg-none-last", "{" + inner + ',"alg":"none"}', "alg twice, none last")
    put(dup, "header-alg-escaped", "{" + inner + ',"\\u0061lg":"none"}', "alg twice, the second spelled \\u0061lg")
    put(dup, "header-alg-escaped-first", '{"a\\u006cg":"none",' + inner + "}", "alg twice, the first spelled a\\u006cg")
    put(dup, "header-kid", "{" + inner + f',"kid":{kid}}}', "kid twice, equal")
    put(dup, "header-unknown", "{" + inner + ',"x":1,"x":1}', "an unknown member twice")

    ok = "ok-header"
    for name, text, note in (
        ("blanks", usual.replace(",", " ,\r\n\t").replace(":", " : "), "white space between the members"),
        ("order", "{" + f'"kid":{kid},"typ":"JWT","alg":"{alg}"' + "}", "alg last"),
        ("escaped-member", usual.replace('"alg"', '"\\u0061lg"'), "alg spelled \\u0061lg, once: the same JSON"),
        ("escaped-value", usual.replace(f'"{alg}"', f'"\\u{ord(alg[0]):04x}{alg[1:]}"'), "the value of alg with an escape"),
        ("no-kid", header(alg, kid=None), "no kid, one key configured"),
        ("no-typ", header(alg, typ=None), "no typ"),
        ("typ-lower", header(alg, typ='"jwt"'), "typ in lower case"),
        ("typ-at-jwt", header(alg, typ='"at+jwt"'), "an access token of RFC 9068, no token_type configured"),
        ("typ-application", header(alg, typ='"application/at+jwt"'), "the same with its full media type"),
        ("unknown-string", header(alg, x='"y"'), "an unknown member"),
        ("unknown-number", header(alg, x="1.5"), "an unknown member that is a number"),
        ("unknown-object", header(alg, x='{"alg":"none","a":[1,null,{"b":true}]}'), "an unknown member that is an object"),
        ("unknown-list", header(alg, x="[1,2]"), "an unknown member that is a list"),
        ("unknown-null", header(alg, x="null"), "an unknown member that is null"),
        ("unknown-utf8", header(alg, x='"é"'), "an unknown member outside ASCII"),
    ):
        accept(ok, name, alg, signed(alg, text), note)


def json_claims(alg):
    usual = body()
    inner = usual[1:-1]

    def put(cls, name, text, note):
        refuse(cls, name, alg, signed(alg, None, text), note + "; the signature is right", "right")

    cls = "json-claims"
    put(cls, "list", f"[{usual}]", "a list")
    put(cls, "string", dump(usual), "a string that holds the claims")
    put(cls, "number", "42", "a number")
    put(cls, "null", "null", "null")
    put(cls, "true", "true", "true")
    put(cls, "empty-object", "{}", "no claims")
    put(cls, "text", "alice", "no JSON at all")
    put(cls, "garbage-behind", usual + "x", "garbage behind the object")
    put(cls, "brace-behind", usual + "}", "one brace too many")
    put(cls, "two-objects", usual + usual, "two objects")
    put(cls, "nul-behind", usual + "\0", "NUL behind the object")
    put(cls, "nul-before", "\0" + usual, "NUL before the object")
    put(cls, "cut", usual[:-1], "the last brace is missing")
    put(cls, "bom", "\ufeff" + usual, "byte order mark")
    put(cls, "utf16", usual.encode("utf-16-le"), "UTF-16")
    put(cls, "utf16-bom", usual.encode("utf-16"), "UTF-16 with its mark")
    for name, data in (
        ("lone-byte", b"\xff"),
        ("cut-sequence", b"\xc3"),
        ("overlong-slash", b"\xc0\xaf"),
        ("overlong-nul", b"\xc0\x80"),
        ("surrogate", b"\xed\xa0\x80"),
        ("surrogate-pair", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("beyond-last", b"\xf4\x90\x80\x80"),
        ("latin1", b"Jos\xe9"),
    ):
        note = f"invalid UTF-8 ({name})"
        put(cls, f"utf8-{name}-user", body(username='"#"').encode().replace(b"#", data), note + " in the username")
        put(cls, f"utf8-{name}-other", body(x='"#"').encode().replace(b"#", data), note + " in another claim")
    for name, escape in (("high", "\\ud83d"), ("low", "\\ude00"), ("swapped", "\\ude00\\ud83d"), ("high-text", "\\ud83dx")):
        put(cls, f"lone-{name}-user", body(username=f'"{escape}"'), f"lone surrogate escape {escape} in the username")
        put(cls, f"lone-{name}-other", body(x=f'"{escape}"'), f"lone surrogate escape {escape} in another claim")
    for name, text in (
        ("nan", "NaN"),
        ("infinity", "Infinity"),
        ("minus-infinity", "-Infinity"),
        ("python-true", "True"),
        ("python-none", "None"),
        ("undefined", "undefined"),
        ("leading-zero", "01"),
        ("plus", "+1"),
        ("dot-first", ".5"),
        ("dot-last", "5."),
        ("hex", "0x10"),
        ("exponent-empty", "1e"),
        ("minus-alone", "-"),
        ("nothing", ""),
        ("single-quotes", "'a'"),
        ("bad-escape", '"\\x41"'),
        ("short-escape", '"\\u41"'),
        ("raw-newline", '"a\nb"'),
        ("raw-tab", '"a\tb"'),
        ("raw-nul", '"a\0b"'),
        ("raw-1f", '"a\x1fb"'),
        ("open-string", '"a'),
        ("list-comma", "[1,]"),
        ("list-open", "[1"),
    ):
        put(cls, f"value-{name}", body(x=text), f"a claim with the value {text!r}")
    for name, text in (("nan", "NaN"), ("infinity", "Infinity"), ("leading-zero", "04102444800"), ("plus", "+4102444800")):
        put(cls, f"exp-{name}", body(exp=text), f"exp is {text}")
    put(cls, "raw-newline-user", body(username='"a\nb"'), "raw line feed in the username")
    put(cls, "comment-block", "{/* x */" + inner + "}", "a comment")
    put(cls, "comment-line", "{// x\n" + inner + "}", "a comment to the end of the line")
    put(cls, "comment-hash", "{# x\n" + inner + "}", "a comment with #")
    put(cls, "comma-behind", "{" + inner + ",}", "a comma behind the last member")
    put(cls, "comma-missing", usual.replace(",", " ", 1), "a comma is missing")
    put(cls, "colon-missing", usual.replace(":", " ", 1), "a colon is missing")
    put(cls, "single-quotes", usual.replace('"', "'"), "single quotes")
    put(cls, "bare-names", usual.replace('"iss"', "iss"), "a name without quotes")
    put(cls, "form-feed", "{\f" + inner + "}", "a form feed between tokens is no JSON white space")
    put(cls, "nbsp", "{\u00a0" + inner + "}", "a no-break space between tokens is no JSON white space")

    cls = "json-duplicate"
    twice = lambda extra: "{" + inner + "," + extra + "}"  # noqa: E731
    put(cls, "user-last", twice('"username":"mallory"'), "username twice")
    put(cls, "user-first", '{"username":"mallory",' + inner + "}", "username twice")
    put(cls, "user-equal", twice('"username":"alice"'), "username twice, equal")
    put(cls, "user-escaped", twice('"usern\\u0061me":"mallory"'), "username twice, the second with an escape")
    put(cls, "exp", '{"exp":1,' + inner + "}", "exp twice, expired first")
    put(cls, "exp-last", twice('"exp":1'), "exp twice, expired last")
    put(cls, "aud", twice('"aud":"https://other.example.test"'), "aud twice")
    put(cls, "aud-first", '{"aud":"https://other.example.test",' + inner + "}", "aud twice")
    put(cls, "iss", twice('"iss":"https://other.example.test"'), "iss twice")
    put(cls, "nbf", '{"nbf":4102444800,' + inner + "}", "nbf twice")
    put(cls, "unknown", twice('"x":1,"x":2'), "an unknown claim twice")

    cls = "json-deep"
    put(cls, "lists", body(x="[" * 3000 + "]" * 3000), "3 000 nested lists")
    put(cls, "lists-open", body(x="[" * 3000), "3 000 lists that are never closed")
    put(cls, "objects", body(x='{"a":' * 1500 + "1" + "}" * 1500), "1 500 nested objects")
    put(cls, "lists-only", "[" * 3000 + "]" * 3000, "nothing but 3 000 nested lists")
    put(cls, "user-lists", body(username="[" * 3000 + "]" * 3000), "the username is 3 000 nested lists")
    accept(cls, "32-lists", alg, signed(alg, None, body(x="[" * 32 + "]" * 32)), "32 nested lists are harmless")

    cls = "ok-claims"
    for name, text, note in (
        ("blanks", usual.replace(",", " ,\r\n\t").replace('":', '" : '), "white space between the members"),
        ("many", body(**{f"c{i}": str(i) for i in range(300)}), "300 further claims"),
        ("utf8", body(x='"žluťoučký 😀"'), "UTF-8 in another claim"),
        ("escaped-pair", body(x='"\\ud83d\\ude00"'), "a pair of surrogate escapes in another claim"),
        ("escaped-names", usual.replace('"username"', '"\\u0075sername"'), "the name username with an escape, once"),
        ("escaped-slashes", usual.replace("/", "\\/"), "slashes escaped in iss and aud"),
        ("escaped-user", body(username='"\\u0061l\\u0069ce"'), "the username with escapes"),
        ("other-case-names", body(Username='"mallory"', USERNAME='"mallory"', EXP="1"), "other names that differ by case"),
        ("nested-names", body(x='{"username":"mallory","exp":1}'), "the same names deeper down"),
        ("escaped-nul-other", body(x='"a\\u0000b"'), "an escaped NUL in a claim that nobody reads"),
        ("no-sub", body(sub=None), "no sub"),
        ("no-groups", body(groups=None), "no groups"),
        ("null-groups", body(groups="null"), "groups is null"),
        ("empty-groups", body(groups="[]"), "groups is an empty list"),
    ):
        accept(cls, name, alg, signed(alg, None, text), note)


# --- claims -----------------------------------------------------------------------------------------------------------


def claims_rules(alg):
    def judge(cls, name, claims, verdict, note):
        (accept if verdict else lambda *a: refuse(*a, "right"))(cls, name, alg, signed(alg, None, claims), note)

    wrong_types = [("null", "null"), ("true", "true"), ("false", "false"), ("object", "{}")]
    for claim in ("exp", "nbf", "iat"):
        for kind, text in wrong_types + [
            ("string", '"1767225600"' if claim != "exp" else '"4102444800"'),
            ("empty-string", '""'),
            ("date", '"2026-01-01T00:00:00Z"'),
            ("list", "[1767225600]" if claim != "exp" else "[4102444800]"),
        ]:
            judge(claim, kind, body(**{claim: text}), False, f"{claim} is a {kind}: wrong type, never absent")
        for kind, text in (
            ("1e400", "1e400"),
            ("minus-1e400", "-1e400"),
            ("1e999999999", "1e999999999"),
            ("3000-digits", "9" * 3000),
        ):
            judge(claim, kind, body(**{claim: text}), False, f"{claim} is {kind}: no finite number")

    exp = lambda name, text, ok, note: judge("exp", name, body(exp=text), ok, note)  # noqa: E731
    exp("missing", None, False, "no exp")
    exp("zero", "0", False, "exp 0")
    exp("one", "1", False, "exp 1")
    exp("negative", "-1", False, "exp negative")
    exp("negative-far", "-4102444800", False, "exp far negative")
    exp("negative-1e308", "-1e308", False, "exp -1e308")
    exp("minus-zero", "-0", False, "exp -0")
    exp("past", str(NOW - 3600), False, "expired an hour ago")
    exp("edge-out", str(NOW - LEEWAY), False, "now = exp + leeway")
    exp("edge-out-fraction", f"{NOW - LEEWAY - 1}.9", False, "now is a tenth of a second past exp + leeway")
    exp("edge-in", str(NOW - LEEWAY + 1), True, "one second before exp + leeway")
    exp("edge-in-fraction", f"{NOW - LEEWAY}.5", True, "half a second before exp + leeway")
    exp("now", str(NOW), True, "expires now, within the leeway")
    exp("fraction", "4102444800.75", True, "exp with a fraction")
    exp("float", "4102444800.0", True, "exp as 4102444800.0")
    exp("exponent", "4.1024448e9", True, "exp as 4.1024448e9")
    exp("1e308", "1e308", True, "a finite number far in the future")
    exp("2-pow-31", "2147483648", True, "2^31")
    exp("2-pow-53-plus", "9007199254740993", True, "2^53 + 1")
    exp("2-pow-63", "9223372036854775808", True, "2^63")
    exp("2-pow-64", "18446744073709551616", True, "2^64")
    exp("100-digits", "9" * 100, True, "100 digits")
    exp("milliseconds", "1767225600000", True, "milliseconds: read as seconds, far in the future")

    for claim, future in (("nbf", "not valid yet"), ("iat", "issued in the future")):
        for name, text, ok, note in (
            ("missing", None, True, f"no {claim}"),
            ("future", str(NOW + 3600), False, f"{future}, by an hour"),
            ("edge-out", str(NOW + LEEWAY + 1), False, f"{future}, one second beyond the leeway"),
            ("edge-out-fraction", f"{NOW + LEEWAY}.5", False, f"{future}, half a second beyond the leeway"),
            ("edge-in", str(NOW + LEEWAY), True, f"{future}, just within the leeway"),
            ("now", str(NOW), True, f"{claim} now"),
            ("fraction", "1767225600.5", True, f"{claim} with a fraction"),
            ("zero", "0", True, f"{claim} 0"),
            ("negative", "-1", True, f"{claim} -1: a finite number in the past"),
            ("1e308", "1e308", False, f"{claim} 1e308"),
            ("2-pow-64", "18446744073709551616", False, f"{claim} 2^64"),
        ):
            judge(claim, name, body(**{claim: text}), ok, note)

    a, other = dump(AUD), '"https://other.example.test"'
    for name, text, ok, note in (
        ("missing", None, False, "no aud"),
        ("empty", '""', False, "aud is an empty string"),
        ("empty-list", "[]", False, "aud is an empty list"),
        ("null", "null", False, "aud is null"),
        ("number", "1", False, "aud is a number"),
        ("true", "true", False, "aud is true"),
        ("object", f'{{"aud":{a}}}', False, "aud is an object"),
        ("object-key", f"{{{a}:true}}", False, "aud is an object with the right name as a member"),
        ("other", other, False, "another audience"),
        ("upper", dump(AUD.upper()), False, "upper case"),
        ("host-case", '"https://App.example.test"', False, "one letter in upper case"),
        ("slash", dump(AUD + "/"), False, "a slash behind"),
        ("port", dump(AUD + ":443"), False, "the default port behind"),
        ("prefix", dump(AUD[:-1]), False, "the last character is missing"),
        ("longer", dump(AUD + ".evil.example"), False, "begins with the right one"),
        ("inside", dump("x" + AUD), False, "ends with the right one"),
        ("blank-before", dump(" " + AUD), False, "a blank before"),
        ("blank-behind", dump(AUD + " "), False, "a blank behind"),
        ("nul-behind", dump(AUD + "\0"), False, "NUL behind"),
        ("pattern", '"https://.*"', False, "a regular expression"),
        ("star", '"*"', False, "a star"),
        ("comma", dump(AUD + ",https://other.example.test"), False, "two in one string with a comma"),
        ("blanks", dump(AUD + " https://other.example.test"), False, "two in one string with a blank"),
        ("json-text", dump(dump([AUD])), False, "a list written as a string"),
        ("cyrillic", '"https://\\u0430pp.example.test"', False, "a Cyrillic letter that looks the same"),
        ("percent", '"https://app%2Eexample%2Etest"', False, "percent-encoded"),
        ("list-others", f'[{other},"https://third.example.test"]', False, "a list without the right one"),
        ("list-number", f"[{a},1]", False, "a list with a number"),
        ("list-null", f"[null,{a}]", False, "a list with null"),
        ("list-list", f"[[{a}]]", False, "a list in a list"),
        ("list-object", f"[{a},{{}}]", False, "a list with an object"),
        ("list-one", f"[{a}]", True, "a list with the right one"),
        ("list-last", f"[{other},{a}]", True, "a list with another and the right one"),
        ("list-first", f"[{a},{other}]", True, "a list with the right one and another"),
        ("list-twice", f"[{a},{a}]", True, "a list with the right one twice"),
        ("list-long", "[" + f"{other}," * 200 + f"{a}]", True, "the right one behind 200 others"),
        ("escaped", '"\\u0068ttps:\\/\\/app.example.test"', True, "the right one with escapes"),
    ):
        judge("aud", name, body(aud=text), ok, note)

    i = dump(ISS)
    for name, text, ok, note in (
        ("missing", None, False, "no iss"),
        ("empty", '""', False, "iss is empty"),
        ("null", "null", False, "iss is null"),
        ("number", "1", False, "iss is a number"),
        ("true", "true", False, "iss is true"),
        ("list", f"[{i}]", False, "iss is a list with the right one"),
        ("list-two", f'[{i},"https://evil.example"]', False, "iss is a list of two"),
        ("object", f'{{"iss":{i}}}', False, "iss is an object"),
        ("wrong", '"https://evil.example"', False, "another issuer"),
        ("slash", dump(ISS + "/"), False, "a slash behind"),
        ("upper", dump(ISS.upper()), False, "upper case"),
        ("http", '"http://idp.example.test"', False, "http instead of https"),
        ("prefix", dump(ISS[:-1]), False, "the last character is missing"),
        ("part", '"idp"', False, "a part of the right one"),
        ("longer", dump(ISS + ".evil.example"), False, "begins with the right one"),
        ("path", dump(ISS + "/tenant"), False, "the right one with a path"),
        ("blank-behind", dump(ISS + " "), False, "a blank behind"),
        ("nul-behind", dump(ISS + "\0"), False, "NUL behind"),
        ("cyrillic", '"https://\\u0456dp.example.test"', False, "a Cyrillic letter that looks the same"),
        ("escaped", '"https:\\/\\/idp.ex\\u0061mple.test"', True, "the right one with escapes"),
    ):
        judge("iss", name, body(iss=text), ok, note)

    thumbprint = b64(hashlib.sha256(b"x").digest())
    judge("cnf", "jkt", body(cnf=dump({"jkt": thumbprint})), False, "bound to a DPoP key: no bearer token (RFC 9449)")
    judge("cnf", "x5t", body(cnf=dump({"x5t#S256": thumbprint})), False, "bound to a certificate: no bearer token (RFC 8705)")


def usernames(alg):
    def yes(name, value, expected, note, ascii_only=True):
        text = json.dumps(value, ensure_ascii=ascii_only)
        accept("ok-user", name, alg, signed(alg, None, body(username=text)), note, expected)

    def no(name, fragment, note):
        refuse("user", name, alg, signed(alg, None, body(username=fragment)), note, "right")

    no("missing", None, "no username claim")
    for name, fragment in (
        ("empty", '""'),
        ("null", "null"),
        ("number", "1"),
        ("zero", "0"),
        ("true", "true"),
        ("false", "false"),
        ("list", '["alice"]'),
        ("list-empty", "[]"),
        ("object", '{"name":"alice"}'),
    ):
        no(name, fragment, f"username is {fragment}")
    for name, text in (
        ("lf", "a\nb"),
        ("cr", "a\rb"),
        ("crlf", "alice\r\nX-Auth-User: root"),
        ("lf-behind", "alice\n"),
        ("lf-before", "\nalice"),
        ("nul", "a\0b"),
        ("nul-behind", "alice\0"),
        ("tab", "a\tb"),
        ("tab-behind", "alice\t"),
        ("esc", "a\x1b[31mb"),
        ("bell", "a\x07b"),
        ("1f", "a\x1fb"),
        ("del", "a\x7fb"),
        ("blank-before", " alice"),
        ("blank-behind", "alice "),
        ("blank-only", " "),
        ("c1-nel", "a\u0085b"),
        ("c1-csi", "a\u009bb"),
        ("bidi-override", "alice\u202eecila"),
        ("bidi-isolate", "\u2066alice\u2069"),
        ("rtl-mark", "alice\u200f"),
        ("zero-width", "al\u200bice"),
        ("bom", "\ufeffalice"),
        ("soft-hyphen", "al\u00adice"),
        ("tag-character", "alice\U000e0041"),
        ("257-bytes", "a" * 257),
        ("4000-bytes", "a" * 4000),
        ("256-characters-512-bytes", "\u00e9" * 256),
    ):
        no(name, json.dumps(text), f"username {ascii(text[:40])}{'...' if len(text) > 40 else ''}")
    yes("256-bytes", "a" * 256, "a" * 256, "the longest one allowed")
    yes("one-character", "a", "a", "one character")
    yes("blank-inside", "Alice Smith", "Alice Smith", "a blank inside")
    yes("e-mail", "alice@example.test", "alice@example.test", "nothing is cut at the @")
    yes("comma", "a,b", "a,b", "commas pass")
    yes("quotes", "a\"b'c", "a\"b'c", "quotes pass")
    yes("backslash", "DOMAIN\\alice", "DOMAIN\\alice", "a backslash passes")
    yes("pipe", "auth0|12345", "auth0|12345", "a bar passes")
    yes("punctuation", "!#$&()*+-./:;<=>?@[]^_`{|}~", "!#$&()*+-./:;<=>?@[]^_`{|}~", "all other ASCII punctuation passes")
    yes("upper", "ALICE", "ALICE", "no case folding")
    yes("digits", "12345", "12345", "a string of digits")
    yes("word-null", "null", "null", "the word null")
    yes("percent-end", "100%", "100%", "a percent sign that begins no escape passes unchanged")
    yes("percent-one-digit", "%4", "%4", "percent and one digit")
    yes("percent-no-hex", "a%zz", "a%zz", "percent and no hexadecimal digits")
    yes("percent-literal", "Jos%C3%A9", "Jos%25C3%25A9", "literal escapes stay apart from encoded letters")
    yes("percent-literal-lower", "jos%c3%a9", "jos%25c3%25a9", "the same in lower case")
    yes("percent-literal-ascii", "%61lice", "%2561lice", "a literal escape of an ASCII letter")
    yes("latin", "José", "Jos%C3%A9", "percent mode: bytes outside ASCII are encoded", False)
    yes("latin-escaped", "José", "Jos%C3%A9", "the same, written with a JSON escape")
    yes("latin-decomposed", "Jose\u0301", "Jose%CC%81", "no normalisation")
    yes("u-010a", "a\u010ab", "a%C4%8Ab", "U+010A never becomes a line feed")
    yes("u-010a-alone", "\u010a", "%C4%8A", "U+010A alone")
    yes("u-010d", "a\u010db", "a%C4%8Db", "U+010D never becomes a carriage return")
    yes("u-0100", "a\u0100b", "a%C4%80b", "U+0100 never becomes NUL")
    yes("u-560a", "a\u560ab", "a%E5%98%8Ab", "U+560A never becomes a line feed")
    yes("fullwidth", "\uff41lice", "%EF%BD%81lice", "no folding of full-width letters", False)
    yes("kelvin", "\u212aate", "%E2%84%AAate", "no folding of the Kelvin sign", False)
    yes("dotless-i", "al\u0131ce", "al%C4%B1ce", "no folding of the dotless i", False)
    yes("emoji", "a😀", "a%F0%9F%98%80", "four bytes", False)
    yes("emoji-escaped", "a😀", "a%F0%9F%98%80", "the same as a surrogate pair")
    yes("cyrillic", "алиса", "%D0%B0%D0%BB%D0%B8%D1%81%D0%B0", "a name outside ASCII", False)


def sizes(alg):
    behind = 1 + len(signed(alg).rsplit(".", 1)[1])

    def of_length(total):
        for tail, fill in itertools.product(range(4), range(total)):
            text = input_of(header(alg, x=dump("a" * tail)), body(x=dump("a" * fill)))
            if len(text) + behind == total:
                return seal(alg, text)
        raise AssertionError(total)

    accept("size", "16384", alg, of_length(MAX_TOKEN), "the longest token that the default limit allows")
    refuse("size", "16385", alg, of_length(MAX_TOKEN + 1), "one byte over the default limit, otherwise good", "right")
    refuse("size", "20000", alg, of_length(20000), "over the default limit, otherwise good", "right")


def main():
    for alg in ALL:
        good(alg)
        tampered(alg)
        no_algorithm(alg)
        algorithm_name(alg)
        algorithm_list(alg)
        confusion(alg)
        embedded(alg)
        if alg in ECDSA:
            ecdsa(alg)
        if alg in RSA_1 + RSA_PSS:
            rsa_padding(alg)
        if alg == "EdDSA":
            eddsa(alg)
    for alg in COMMON:
        base64_rules(alg)
        shape(alg)
        critical(alg)
        encrypted(alg)
        json_header(alg)
        json_claims(alg)
        claims_rules(alg)
        usernames(alg)
        sizes(alg)
    settings = {
        "expected_audience": AUD,
        "expected_issuer": ISS,
        "username_claim_field": "username",
        "non_ascii": "percent",
        "leeway_seconds": LEEWAY,
        "max_token_bytes": MAX_TOKEN,
        "now": NOW,
    }
    keys = {}
    for name, key in KEYS.items():
        if isinstance(key, bytes):
            keys[name] = {"secret_base64": base64.b64encode(key).decode(), "jwk": JWK[name]}
        else:
            keys[name] = {"public_pem": spki(key, serialization.Encoding.PEM).decode(), "jwk": JWK[name]}
    out = sys.stdout
    out.write('{\n"settings": ' + json.dumps(settings) + ',\n"keys": {\n')
    out.write(",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in keys.items()))
    out.write('\n},\n"cases": [\n' + ",\n".join(json.dumps(entry) for entry in CASES) + "\n]\n}\n")


if __name__ == "__main__":
    main()
