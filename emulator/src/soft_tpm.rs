//! A TPM in software, for labs and tests: as much of one as a registration with DPS needs, with the checks that a TPM makes.
//!
//! It gives its two public keys, and takes in what a service has wrapped for them (`TPM2_ActivateCredential` and `TPM2_Import`). A
//! real one would keep the key that it has taken in; this one gives it out, to sign tokens with. It speaks no commands of TPMs, and
//! protects nothing.

use aes::{
    Aes128, Block,
    cipher::{BlockCipherEncrypt as _, KeyInit as _},
};
use crypto_bigint::{
    U1024, U2048,
    modular::{FixedMontyForm, FixedMontyParams},
};
use crypto_primes::{Flavor, random_prime};
use ring::{
    digest::{SHA256, digest},
    hmac,
};
use thiserror::Error;

const EK_ATTRIBUTES: u32 = 0x0003_00b2;
const SRK_ATTRIBUTES: u32 = 0x0003_0472;

/// Bytes of one of the two primes of a key.
pub const PRIME_BYTES: usize = 128;

/// Bytes of SHA-256.
const HASH: usize = 32;

/// Why a TPM does not take in what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the TPM does not take the key in: {0}")]
pub struct SoftTpmError(&'static str);

type Taken<T> = Result<T, SoftTpmError>;

/// A TPM.
#[derive(Clone)]
pub struct SoftTpm {
    endorsement: RsaKey,
    storage_root: RsaKey,
}

/// An RSA key; one without its private exponent can be shown alone.
#[derive(Clone)]
struct RsaKey {
    modulus: U2048,
    exponent: Option<U2048>,
}

impl SoftTpm {
    /// One with keys that nobody else has. Making them takes a second, without optimisation half a minute.
    #[must_use]
    pub fn generate() -> Self {
        Self { endorsement: RsaKey::generate(), storage_root: RsaKey::generate() }
    }

    /// One with keys of these primes, of 1024 bits each: for tests, which can't wait. `None` where they make no keys of 2048 bits.
    #[must_use]
    pub fn of_primes(
        endorsement: [&[u8; PRIME_BYTES]; 2],
        storage_root: [&[u8; PRIME_BYTES]; 2],
    ) -> Option<Self> {
        let key =
            |primes: [&[u8; PRIME_BYTES]; 2]| RsaKey::of(primes.map(|prime| U1024::from_be_slice(prime)));
        Some(Self { endorsement: key(endorsement)?, storage_root: key(storage_root)? })
    }

    /// One that can be shown and can't take anything in: what others know of some TPM.
    #[must_use]
    pub fn public_alone() -> Self {
        Self { endorsement: RsaKey::public_alone(), storage_root: RsaKey::public_alone() }
    }

    /// The endorsement key, a `TPM2B_PUBLIC`.
    #[must_use]
    pub fn endorsement_key(&self) -> Vec<u8> {
        // The policy of the profile of PC clients; whoever wraps for the key does not look at it.
        sized(&self.endorsement.area(EK_ATTRIBUTES, &[0x83; HASH]))
    }

    /// The storage root key, a `TPM2B_PUBLIC`.
    #[must_use]
    pub fn storage_root_key(&self) -> Vec<u8> {
        sized(&self.storage_root.area(SRK_ATTRIBUTES, &[]))
    }

    /// Takes in what a service has wrapped (`authenticationKey`, decoded), and gives the HMAC key.
    ///
    /// # Errors
    ///
    /// What was wrapped for another TPM, or is not whole.
    pub fn activate(&self, wrapped: &[u8]) -> Result<Vec<u8>, SoftTpmError> {
        let mut rest = wrapped;
        let [credential, secret, duplicate, seed, public] = five(&mut rest)?;
        check(rest == [0, 0], "encrypted data, or more behind it")?;

        let root_name = name(&self.storage_root.area(SRK_ATTRIBUTES, &[]));
        let seed_of_credential = self.endorsement.open(secret, b"IDENTITY\0")?;
        let opened = unprotect(&seed_of_credential, &root_name, credential)?;
        let inner = take(&mut &opened[..])?.to_vec();

        let object = name(public);
        let seed = self.storage_root.open(seed, b"DUPLICATE\0")?;
        let mut wrapped = unprotect(&seed, &object, duplicate)?;
        cfb(&inner, &mut wrapped)?;
        let mut rest = &wrapped[..];
        let integrity = take(&mut rest)?;
        let whole = digest(&SHA256, &[rest, &object].concat());
        check(integrity == whole.as_ref(), "its inner integrity is wrong")?;

        let mut sensitive = take(&mut rest)?;
        check(rest.is_empty(), "more behind the private part")?;
        check(number(&mut sensitive)? == 8, "it is no keyed hash")?;
        check(take(&mut sensitive)?.is_empty(), "it has a password")?;
        let (obfuscation, key) = (take(&mut sensitive)?, take(&mut sensitive)?);
        check(sensitive.is_empty() && key.len() <= 64, "its private part has the wrong size")?;
        check_public(public, obfuscation, key)?;
        Ok(key.to_vec())
    }
}

/// What `TPM2_Import` wants of the public part of an HMAC key from elsewhere.
fn check_public(public: &[u8], obfuscation: &[u8], key: &[u8]) -> Taken<()> {
    let mut rest = public;
    check([number(&mut rest)?, number(&mut rest)?] == [8, 0x0b], "its public part is no keyed hash")?;
    let attributes = u32::from(number(&mut rest)?) << 16 | u32::from(number(&mut rest)?);
    check(attributes & 0b1_0010 == 0, "it is fixed to a TPM or to a parent")?;
    check(attributes & 1 << 18 != 0, "it does not sign")?;
    check(take(&mut rest)?.is_empty(), "it has a policy")?;
    check([number(&mut rest)?, number(&mut rest)?] == [5, 0x0b], "it is not for HMAC with SHA-256")?;
    let unique = digest(&SHA256, &[obfuscation, key].concat());
    check(take(&mut rest)? == unique.as_ref() && rest.is_empty(), "public and private part differ")
}

impl RsaKey {
    fn generate() -> Self {
        loop {
            let primes = std::array::from_fn(|_| random_prime(&mut rand::rng(), Flavor::Any, 1024));
            if let Some(key) = Self::of(primes) {
                return key;
            }
        }
    }

    fn of([p, q]: [U1024; 2]) -> Option<Self> {
        let modulus: U2048 = p.concatenating_mul(&q);
        let [p, q] = [p, q].map(|prime| prime.wrapping_sub(&U1024::ONE));
        let totient: U2048 = p.concatenating_mul(&q);
        let exponent = U2048::from(65537u64).invert_mod(&totient.to_nz().into_option()?).into_option();
        (modulus.bit_width() == 2048 && exponent.is_some()).then_some(Self { modulus, exponent })
    }

    fn public_alone() -> Self {
        let mut bytes = [0; 2 * PRIME_BYTES];
        bytes.fill_with(rand::random);
        bytes[0] |= 0x80;
        bytes[2 * PRIME_BYTES - 1] |= 1;
        Self { modulus: U2048::from_be_slice(&bytes), exponent: None }
    }

    fn area(&self, attributes: u32, policy: &[u8]) -> Vec<u8> {
        let kind = [0x00, 0x01, 0x00, 0x0b];
        let parameters = [0x00, 0x06, 0x00, 0x80, 0x00, 0x43, 0x00, 0x10, 0x08, 0x00, 0, 0, 0, 0];
        let modulus = sized(self.modulus.to_be_bytes().as_ref());
        [&kind[..], &attributes.to_be_bytes(), &sized(policy), &parameters, &modulus].concat()
    }

    /// Decrypts by RSA with OAEP.
    fn open(&self, encrypted: &[u8], label: &[u8]) -> Taken<Vec<u8>> {
        check(encrypted.len() == 2 * PRIME_BYTES, "a seed has the wrong size")?;
        let exponent = self.exponent.as_ref().ok_or(SoftTpmError("it has no private keys"))?;
        let modulus = self.modulus.to_odd().into_option().ok_or(SoftTpmError("its keys are none"))?;
        let params = FixedMontyParams::new_vartime(modulus);
        let number = U2048::from_be_slice(encrypted);
        check(number < self.modulus, "a seed is too large")?;
        let encoded = FixedMontyForm::new(&number, &params).pow(exponent).retrieve().to_be_bytes();
        let encoded = encoded.as_ref();
        let (mut seed, mut block) = (encoded[1..=HASH].to_vec(), encoded[HASH + 1..].to_vec());
        mask(&block, &mut seed);
        mask(&seed, &mut block);
        let (given, rest) = block.split_at(HASH);
        let is_for_us = encoded[0] == 0 && given == digest(&SHA256, label).as_ref();
        check(is_for_us, "a seed is not for this TPM")?;
        let begin = rest.iter().position(|byte| *byte != 0).unwrap_or_default();
        check(rest[begin] == 1, "a seed is not padded as it should be")?;
        Ok(rest[begin + 1..].to_vec())
    }
}

/// MGF1.
fn mask(seed: &[u8], content: &mut [u8]) {
    for (counter, part) in (0u32..).zip(content.chunks_mut(HASH)) {
        let stream = digest(&SHA256, &[seed, &counter.to_be_bytes()].concat());
        for (byte, mask) in part.iter_mut().zip(stream.as_ref()) {
            *byte ^= mask;
        }
    }
}

fn unprotect(seed: &[u8], name: &[u8], protected: &[u8]) -> Taken<Vec<u8>> {
    let mut rest = protected;
    let integrity = take(&mut rest)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &kdfa(seed, "INTEGRITY", &[], 256));
    let whole = hmac::verify(&key, &[rest, name].concat(), integrity);
    whole.map_err(|_| SoftTpmError("it is not whole, or for another object"))?;
    let mut content = rest.to_vec();
    cfb(&kdfa(seed, "STORAGE", name, 128), &mut content)?;
    Ok(content)
}

fn kdfa(key: &[u8], label: &str, context: &[u8], bits: u32) -> Vec<u8> {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in [&1u32.to_be_bytes()[..], label.as_bytes(), &[0], context, &bits.to_be_bytes()] {
        mac.update(part);
    }
    mac.sign().as_ref()[..bits as usize / 8].to_vec()
}

/// Decrypts by AES-128 in CFB mode.
fn cfb(key: &[u8], content: &mut [u8]) -> Taken<()> {
    let key: [u8; 16] = key.try_into().map_err(|_| SoftTpmError("its inner key is not one of AES-128"))?;
    let cipher = Aes128::new(&key.into());
    let mut feedback = Block::default();
    for part in content.chunks_mut(16) {
        cipher.encrypt_block(&mut feedback);
        for (byte, feedback) in part.iter_mut().zip(feedback.iter_mut()) {
            let encrypted = *byte;
            *byte ^= *feedback;
            *feedback = encrypted;
        }
    }
    Ok(())
}

fn name(area: &[u8]) -> Vec<u8> {
    [&[0x00, 0x0b], digest(&SHA256, area).as_ref()].concat()
}

/// Bytes behind their length. Nothing that is written here comes near to 64 KiB.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

fn five<'a>(rest: &mut &'a [u8]) -> Taken<[&'a [u8]; 5]> {
    Ok([take(rest)?, take(rest)?, take(rest)?, take(rest)?, take(rest)?])
}

fn number(rest: &mut &[u8]) -> Taken<u16> {
    let (number, left) = rest.split_first_chunk::<2>().ok_or(SoftTpmError("it ends too early"))?;
    *rest = left;
    Ok(u16::from_be_bytes(*number))
}

fn take<'a>(rest: &mut &'a [u8]) -> Taken<&'a [u8]> {
    let length = number(rest)?.into();
    let (taken, left) = rest.split_at_checked(length).ok_or(SoftTpmError("it ends too early"))?;
    *rest = left;
    Ok(taken)
}

fn check(is_good: bool, why: &'static str) -> Taken<()> {
    if is_good { Ok(()) } else { Err(SoftTpmError(why)) }
}
