//! The model against big integers, the kernel against the model. Whole signatures are held against the library in `benches/rsa_ifma.rs`.

use std::sync::Arc;

use rsa::BigUint;
use serde_json::json;

use crate::jose::signing_key::{PrivateKey, SigningKey};
use crate::jose::{Algorithm, Compact, Family, base64url};

use super::model::{Modulus, multiply};
use super::number::{DIGIT, GROUP, Number};
use super::{Cpu, EXPONENT, Hash, Key, Question, answers};

/// A small generator, so that a failure can be had again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Digits that carries like: none, all, the ends, anything.
    fn digit(&mut self) -> u64 {
        match self.next() % 6 {
            0 => 0,
            1 => DIGIT,
            2 => 1,
            3 => 1 << 51,
            _ => self.next() & DIGIT,
        }
    }

    /// A number of so many bits, made of such digits, the highest bit set.
    fn number<const T: usize>(&mut self, bits: usize) -> BigUint {
        let mut number = Number::<T>::ZERO;
        for digit in number.0.as_flattened_mut() {
            *digit = self.digit();
        }
        let top = BigUint::from(1_u8) << (bits - 1);
        big(&number) % &top + &top
    }
}

fn big<const T: usize>(number: &Number<T>) -> BigUint {
    let digits = number.digits().iter().rev();
    digits.fold(BigUint::from(0_u8), |sum, digit| (sum << 52) + *digit)
}

fn bytes(number: &BigUint, bits: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; bits / 8 - bytes.len()], bytes].concat()
}

/// Moduli that no key has: whole digits of ones or zeros, alternating ones, and random such digits.
fn moduli<const T: usize>(bits: usize, random: &mut Random) -> Vec<BigUint> {
    let one = BigUint::from(1_u8);
    let top = &one << (bits - 1);
    let full = (&one << bits) - &one;
    let mut alternating = Number::<T>::ZERO;
    for digit in alternating.0.as_flattened_mut().iter_mut().step_by(2) {
        *digit = DIGIT;
    }
    let alternating = big(&alternating) % &top;
    let mut moduli = vec![&top + &one, full.clone(), alternating + &top];
    moduli.push((&full ^ (&full >> 1)) | &one);
    moduli.extend((0..12).map(|_| random.number::<T>(bits)));
    moduli.into_iter().map(|modulus| modulus | &one).collect()
}

/// What a signature might be: the ends, what is beside them, and numbers of such digits.
fn signatures<const T: usize>(n: &BigUint, bits: usize, random: &mut Random) -> Vec<BigUint> {
    let one = BigUint::from(1_u8);
    let mut all: Vec<_> = (0..4_u8).map(BigUint::from).collect();
    all.extend([n - &one, n - 2_u8, n >> 1, (&one << (bits - 1)) - &one]);
    all.extend([52, 104, 416, 1024, 2047].map(|shift| (&one << shift) % n));
    all.extend((0..12).map(|_| random.number::<T>(bits) % n));
    all
}

fn all_sizes(check: impl Fn(usize, &BigUint, &[BigUint])) {
    let mut random = Random(7);
    let each = |moduli: Vec<BigUint>, bits: usize, random: &mut Random| {
        for n in moduli {
            let signatures = match bits {
                2048 => signatures::<5>(&n, bits, random),
                3072 => signatures::<8>(&n, bits, random),
                _ => signatures::<10>(&n, bits, random),
            };
            check(bits, &n, &signatures);
        }
    };
    each(moduli::<5>(2048, &mut random), 2048, &mut random);
    each(moduli::<8>(3072, &mut random), 3072, &mut random);
    each(moduli::<10>(4096, &mut random), 4096, &mut random);
}

fn powers<const T: usize>(n: &BigUint, bits: usize, signatures: &[BigUint]) {
    let modulus = Modulus::<T>::new(&bytes(n, bits));
    let exponent = BigUint::from_bytes_be(&EXPONENT);
    for s in signatures {
        let power = modulus.power(&Number::from_bytes(&bytes(s, bits)));
        let power = big(&power);
        // Zero may come as n; everything above n/2³⁰ comes as it is.
        assert_eq!(&power % n, s.modpow(&exponent, n), "{n:x} {s:x}");
        assert!(power < n + (n >> 30), "{n:x} {s:x}");
    }
}

#[test]
fn the_model_raises_to_65537() {
    all_sizes(|bits, n, signatures| match bits {
        2048 => powers::<5>(n, bits, signatures),
        3072 => powers::<8>(n, bits, signatures),
        _ => powers::<10>(n, bits, signatures),
    });
}

fn same_as_model<const T: usize>(cpu: Cpu, n: &BigUint, bits: usize, signatures: &[BigUint]) {
    let modulus = Modulus::<T>::new(&bytes(n, bits));
    for s in signatures {
        let s = Number::from_bytes(&bytes(s, bits));
        let power = modulus.power(&s);
        assert!(cpu.opens_to(&s, &modulus, &power), "{n:x}");
        for place in [0, T * GROUP / 2, T * GROUP - 1] {
            let mut other = power;
            if let Some(digit) = other.0.as_flattened_mut().get_mut(place) {
                *digit ^= 1;
            }
            assert!(!cpu.opens_to(&s, &modulus, &other), "{n:x}");
        }
    }
}

/// The processor with the instructions, or a word that nothing was tested.
fn cpu() -> Option<Cpu> {
    let cpu = Cpu::detect();
    if cpu.is_none() {
        let told = "NOT TESTED: this processor has no AVX-512 IFMA, so the kernels cannot run\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
    }
    cpu
}

#[test]
fn the_kernel_computes_what_the_model_does() {
    let Some(cpu) = cpu() else {
        return;
    };
    all_sizes(|bits, n, signatures| match bits {
        2048 => same_as_model::<5>(cpu, n, bits, signatures),
        3072 => same_as_model::<8>(cpu, n, bits, signatures),
        _ => same_as_model::<10>(cpu, n, bits, signatures),
    });
}

/// Eight at a time, of which some are changed: each is judged by itself.
fn lanes_as_model<const T: usize>(cpu: Cpu, n: &BigUint, bits: usize, signatures: &[BigUint]) {
    let modulus = Modulus::<T>::new(&bytes(n, bits));
    let numbers: Vec<_> = signatures
        .iter()
        .map(|s| Number::from_bytes(&bytes(s, bits)))
        .collect();
    for (turn, group) in numbers.windows(8).enumerate() {
        let s: [Number<T>; 8] = std::array::from_fn(|lane| group[lane]);
        let powers = s.map(|s| modulus.power(&s));
        assert_eq!(cpu.open_to(&s, &modulus, &powers), 0xff, "{n:x}");
        let changed = u8::try_from((turn * 37 + 1) % 256).expect("a byte");
        let mut others = powers;
        for (lane, other) in others.iter_mut().enumerate() {
            if changed & (1 << lane) != 0 {
                other.0.as_flattened_mut()[(turn * 11 + lane) % (T * GROUP)] ^= 1 << (lane * 6);
            }
        }
        assert_eq!(cpu.open_to(&s, &modulus, &others), !changed, "{n:x}");
    }
}

#[test]
fn eight_lanes_compute_what_the_model_does_each_for_itself() {
    let Some(cpu) = cpu() else {
        return;
    };
    all_sizes(|bits, n, signatures| match bits {
        2048 => lanes_as_model::<5>(cpu, n, bits, signatures),
        3072 => lanes_as_model::<8>(cpu, n, bits, signatures),
        _ => lanes_as_model::<10>(cpu, n, bits, signatures),
    });
}

#[test]
fn products_of_the_largest_numbers_stay_below_their_bound() {
    let mut random = Random(11);
    for n in moduli::<5>(2048, &mut random) {
        let modulus = Modulus::<5>::new(&bytes(&n, 2048));
        // 2n − 1, the largest that a product may be given.
        let most = (&n << 1) - 1_u8;
        let mut largest = Number::<5>::ZERO;
        let mut rest = most.clone();
        for digit in largest.0.as_flattened_mut() {
            let low = &rest % (BigUint::from(1_u8) << 52);
            *digit = low
                .to_bytes_le()
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            rest >>= 52;
        }
        assert_eq!(big(&largest), most);
        let product = big(&multiply(&largest, &largest, &modulus.n, modulus.inverse));
        assert!(product < &n + (&n >> 30), "{n:x}");
        let r = BigUint::from(1_u8) << 2080;
        assert_eq!(product * r % &n, &most * &most % &n);
    }
}

#[test]
fn only_moduli_of_three_sizes_with_the_usual_exponent_are_taken() {
    let Some(cpu) = cpu() else {
        return;
    };
    let modulus = |length: usize| vec![0xff; length];
    let takes = |modulus: &[u8], exponent: &[u8]| Key::on(cpu, modulus, exponent).is_some();
    for length in [256, 384, 512] {
        assert!(takes(&modulus(length), &EXPONENT));
        let (mut even, mut short) = (modulus(length), modulus(length));
        *even.last_mut().expect("not empty") = 0xfe;
        *short.first_mut().expect("not empty") = 0x7f;
        assert!(!takes(&even, &EXPONENT));
        assert!(!takes(&short, &EXPONENT));
    }
    for length in [0, 1, 128, 255, 257, 320, 640, 1024] {
        assert!(!takes(&modulus(length), &EXPONENT));
    }
    for exponent in [&[3][..], &[], &[1, 0, 0], &[0, 1, 0, 1], &[1, 0, 1, 0]] {
        assert!(!takes(&modulus(256), exponent), "{exponent:?}");
    }
}

#[test]
fn what_is_known_is_found_and_the_state_is_told() {
    let Some(cpu) = cpu() else {
        assert_eq!(super::readiness(), super::Readiness::NoInstructions);
        return;
    };
    assert!(super::self_test::passes(cpu));
    assert_eq!(super::readiness(), super::Readiness::Ready);
}

#[test]
fn a_kernel_with_any_lane_at_fault_does_not_pass() {
    let Some(cpu) = cpu() else {
        return;
    };
    let passes = |fault: &dyn Fn(usize, &mut Vec<bool>)| {
        super::self_test::passes_with(cpu, |questions| {
            let mut told = answers(questions);
            fault(questions.len(), &mut told);
            told
        })
    };
    assert!(passes(&|_, _| ()));
    for lane in 0..super::LANES {
        // Always good, always bad, and another's.
        assert!(!passes(&|_, told| told
            .iter_mut()
            .skip(lane)
            .take(1)
            .for_each(|is| *is = true)));
        assert!(!passes(&|_, told| told
            .iter_mut()
            .skip(lane)
            .take(1)
            .for_each(|is| *is = false)));
        let other = (lane + 1) % super::LANES;
        assert!(!passes(&|count, told| {
            if count == super::LANES {
                told.swap(lane, other);
            }
        }));
    }
    assert!(!passes(&|_, told| _ = told.pop()));
    assert!(!passes(&|count, told| told.fill(count == 1)));
}

/// A key, and what the library has signed with it: the message, and a signature of each hash.
struct Signer {
    key: Arc<Key>,
    modulus: Vec<u8>,
    signed: Vec<(Hash, Vec<u8>, Vec<u8>)>,
}

fn signer(bits: u32) -> Option<Signer> {
    cpu()?;
    let private = PrivateKey::generate(Family::Rsa, bits).unwrap();
    let (modulus, exponent) = private.public().rsa_numbers().unwrap();
    let hashes = [
        ("RS256", Hash::Sha256),
        ("RS384", Hash::Sha384),
        ("RS512", Hash::Sha512),
    ];
    let signed = hashes.map(|(name, hash)| {
        let signing = SigningKey::from_private(&private, Algorithm::from_name(name)).unwrap();
        let token = signing.sign(None, "JWT", &json!({"sub": name})).unwrap();
        let parts = Compact::split(token.as_bytes()).unwrap();
        let signature = base64url::decode(parts.signature).unwrap();
        (hash, parts.signing_input.to_vec(), signature)
    });
    Some(Signer {
        key: Arc::new(Key::new(&modulus, &exponent).unwrap()),
        modulus,
        signed: signed.into(),
    })
}

#[test]
fn signatures_of_the_library_hold_for_their_own_hash_only_alone_and_in_company() {
    for bits in [2048, 3072, 4096] {
        let Some(Signer { key, signed, .. }) = signer(bits) else {
            return;
        };
        for (place, (_, message, signature)) in signed.iter().enumerate() {
            for (other, (hash, ..)) in signed.iter().enumerate() {
                let is_own = place == other;
                assert_eq!(key.verifies(*hash, message, signature), is_own, "{hash:?}");
                let question = || key.question(*hash, message, signature).unwrap();
                let questions: Vec<_> = std::iter::repeat_with(question).take(8).collect();
                let asked: Vec<_> = questions.iter().collect();
                assert_eq!(answers(&asked), [is_own; 8], "{hash:?}");
            }
        }
    }
}

#[test]
fn what_is_no_number_below_the_modulus_of_its_length_is_never_computed_with() {
    let Some(Signer {
        key,
        modulus,
        signed,
    }) = signer(2048)
    else {
        return;
    };
    let (hash, message, signature) = &signed[0];
    let asks = |signature: &[u8]| key.question(*hash, message, signature).is_some();
    let n = BigUint::from_bytes_be(&modulus);
    assert!(asks(signature));
    assert!(asks(&bytes(&(&n - 1_u8), 2048)));
    assert!(!asks(&modulus), "s = n");
    assert!(!asks(&bytes(&(&n + 1_u8), 2048)));
    assert!(!asks(&[0xff; 256]));
    assert!(!asks(&signature[1..]));
    assert!(!asks(&[&[0], signature.as_slice()].concat()));
    assert!(!asks(&[]));
}

#[test]
fn a_question_about_another_key_is_answered_with_no_in_whatever_company() {
    let (Some(one), Some(other)) = (signer(2048), signer(2048)) else {
        return;
    };
    let ask = |signer: &Signer| -> Question {
        let (hash, message, signature) = &signer.signed[0];
        signer.key.question(*hash, message, signature).unwrap()
    };
    let (own, foreign) = (ask(&one), ask(&other));
    for count in 1..=9 {
        let mut company = vec![&own; count];
        let mut expected = vec![true; count];
        company.push(&foreign);
        expected.push(false);
        assert_eq!(answers(&company), expected, "{count}");
    }
}
