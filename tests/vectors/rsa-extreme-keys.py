#!/usr/bin/env python3
"""Writes rsa-extreme-keys.json: RSA keys whose moduli have digits that carries like, and some random ones. For tests alone: everybody has them.

A modulus of two primes can have its upper and its lower digits prescribed; one that is itself a prime can be prescribed as a whole. The latter is
no key that anybody would use, and as good as any for a test: signing is s = m^d mod n with d = 1/65537 modulo n - 1.
"""

import json
import random
import sys

E = 65537
SMALL = [p for p in range(3, 2000, 2) if all(p % q for q in range(3, int(p**0.5) + 1, 2))]


def is_prime(n):
    if any(n % p == 0 for p in SMALL):
        return n in SMALL
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(12):
        x = pow(random.randrange(2, n - 1), odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def search(start, step):
    """The first prime from `start` on that goes with the exponent."""
    while not (start % E != 1 and is_prime(start)):
        start += step
    return start


def of_primes(p, q):
    return {"n": p * q, "d": pow(E, -1, (p - 1) * (q - 1))}


def of_prime(n):
    return {"n": n, "d": pow(E, -1, n - 1)}


def random_key(bits):
    while True:
        p, q = (search(random.getrandbits(bits // 2) | 3 << (bits // 2 - 2) | 1, 2) for _ in range(2))
        if (p * q).bit_length() == bits:
            return of_primes(p, q)


def prescribed(bits, top, low, low_bits):
    """Two primes: about the upper third of n is that of `top`, and its lowest bits are those of `low`."""
    while True:
        p = search(random.getrandbits(bits // 2) | 3 << (bits // 2 - 2) | 1, 2)
        modulus = 1 << low_bits
        wanted = low * pow(p, -1, modulus) % modulus
        start = top // p // modulus * modulus + wanted
        q = search(start, modulus)
        if (p * q).bit_length() == bits:
            return of_primes(p, q)


def keys(bits):
    ones, alternating = (1 << bits) - 1, int("0000000000000fffffffffffff" * (bits // 104 + 1), 16) % (1 << bits - 1)
    low_bits = bits // 5
    low = (1 << low_bits) - 1
    yield "random", random_key(bits)
    yield "random, another", random_key(bits)
    yield "upper and lower digits all ones", prescribed(bits, ones - (1 << bits // 2 + low_bits + 40), low, low_bits)
    yield "upper digits 1000…, lower …0001", prescribed(bits, (1 << bits - 1) + (1 << bits // 2 + 40), 1, low_bits)
    yield "upper and lower digits alternating ones and zeros", prescribed(bits, 1 << bits - 1 | alternating, alternating | 1, low_bits)
    yield "the largest prime", of_prime(search(ones, -2))
    yield "the smallest prime", of_prime(search((1 << bits - 1) + 1, 2))
    yield "a prime whose lower half is ones", of_prime(search((1 << bits - 1) + (1 << bits // 2 + 52) + (1 << bits // 2) - 1, 1 << bits // 2 + 53))
    yield "a prime of alternating digits", of_prime(search(1 << bits - 1 | alternating | 1, 1 << 104))


def main():
    random.seed(2026)
    found = []
    for bits in (2048, 3072, 4096):
        for name, key in keys(bits):
            assert key["n"].bit_length() == bits
            message = 1 << bits // 2
            assert pow(pow(message, key["d"], key["n"]), E, key["n"]) == message, name
            found.append({"bits": bits, "name": name, "n": f"{key['n']:x}", "d": f"{key['d']:x}"})
            print(bits, name, file=sys.stderr)
    print(json.dumps(found, indent=0))


if __name__ == "__main__":
    main()
