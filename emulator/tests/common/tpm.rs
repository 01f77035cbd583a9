//! A TPM as far as a registration needs one: `TPM2_ActivateCredential` and `TPM2_Import`, with the checks that a TPM makes.

use aes::{
    Aes128, Block,
    cipher::{BlockCipherEncrypt as _, KeyInit as _},
};
use crypto_bigint::{
    U1024, U2048,
    modular::{FixedMontyForm, FixedMontyParams},
};
use crypto_primes::{Flavor, random_prime};
use ring::{digest, hmac};

const EK_ATTRIBUTES: u32 = 0x0003_00b2;
const SRK_ATTRIBUTES: u32 = 0x0003_0472;

/// An RSA key; one without its private exponent can be shown alone.
#[derive(Clone)]
struct RsaKey {
    modulus: U2048,
    exponent: Option<U2048>,
}

#[derive(Clone)]
pub struct SoftTpm {
    endorsement: RsaKey,
    storage_root: RsaKey,
}

impl SoftTpm {
    pub fn new() -> Self {
        Self { endorsement: RsaKey::generate(), storage_root: RsaKey::generate() }
    }

    /// One that can't take anything in.
    pub fn public_alone() -> Self {
        Self { endorsement: RsaKey::public_alone(), storage_root: RsaKey::public_alone() }
    }

    /// `TPM2B_PUBLIC`.
    pub fn endorsement_key(&self) -> Vec<u8> {
        // The policy of the profile of PC clients; whoever wraps for the key does not look at it.
        sized(&self.endorsement.area(EK_ATTRIBUTES, &[0x83; 32]))
    }

    /// `TPM2B_PUBLIC`.
    pub fn storage_root_key(&self) -> Vec<u8> {
        sized(&self.storage_root.area(SRK_ATTRIBUTES, &[]))
    }

    /// Takes in what a service has wrapped, and gives the HMAC key, which a real one would keep.
    pub fn activate(&self, blob: &[u8]) -> Vec<u8> {
        let mut rest = blob;
        let [credential, secret, duplicate, seed, public] = std::array::from_fn(|_| take(&mut rest));
        assert_eq!(rest, [0, 0], "no encrypted data, and nothing more");

        let root_name = name(&self.storage_root.area(SRK_ATTRIBUTES, &[]));
        let seed_of_credential = self.endorsement.open(secret, b"IDENTITY\0");
        let opened = unprotect(&seed_of_credential, &root_name, credential);
        let inner = take(&mut &opened[..]).to_vec();
        assert_eq!(inner.len(), 16, "a key of AES-128");

        let object = name(public);
        let seed = self.storage_root.open(seed, b"DUPLICATE\0");
        let mut wrapped = unprotect(&seed, &object, duplicate);
        cfb(&inner, &mut wrapped);
        let mut rest = &wrapped[..];
        let integrity = take(&mut rest);
        let whole = [rest, &object].concat();
        assert_eq!(integrity, digest::digest(&digest::SHA256, &whole).as_ref(), "the inner integrity");

        let mut sensitive = take(&mut rest);
        assert!(rest.is_empty());
        assert_eq!(number(&mut sensitive), 8, "a keyed hash");
        assert!(take(&mut sensitive).is_empty(), "no password");
        let (obfuscation, key) = (take(&mut sensitive), take(&mut sensitive));
        assert!(sensitive.is_empty() && key.len() <= 64);
        check_public(public, obfuscation, key);
        key.to_vec()
    }
}

/// What `TPM2_Import` wants of the public part of an HMAC key from elsewhere.
fn check_public(public: &[u8], obfuscation: &[u8], key: &[u8]) {
    let mut rest = public;
    assert_eq!([number(&mut rest), number(&mut rest)], [8, 0x0b]);
    let attributes = u32::from(number(&mut rest)) << 16 | u32::from(number(&mut rest));
    assert_eq!(attributes & 0b1_0010, 0, "fixed neither to a TPM nor to a parent");
    assert_ne!(attributes & 1 << 18, 0, "it signs");
    assert!(take(&mut rest).is_empty());
    assert_eq!([number(&mut rest), number(&mut rest)], [5, 0x0b], "HMAC with SHA-256");
    let unique = digest::digest(&digest::SHA256, &[obfuscation, key].concat());
    assert_eq!(take(&mut rest), unique.as_ref());
    assert!(rest.is_empty());
}

impl RsaKey {
    fn generate() -> Self {
        loop {
            let [p, q]: [U1024; 2] =
                std::array::from_fn(|_| random_prime(&mut rand::rng(), Flavor::Any, 1024));
            let modulus: U2048 = p.concatenating_mul(&q);
            let [p, q] = [p, q].map(|prime| prime.wrapping_sub(&U1024::ONE));
            let totient: U2048 = p.concatenating_mul(&q);
            let totient = totient.to_nz().into_option().expect("not zero");
            let exponent = U2048::from(65537u64).invert_mod(&totient).into_option();
            if modulus.bit_width() == 2048 && exponent.is_some() {
                return Self { modulus, exponent };
            }
        }
    }

    fn public_alone() -> Self {
        let mut bytes = [0; 256];
        bytes.fill_with(rand::random);
        (bytes[0], bytes[255]) = (bytes[0] | 0x80, bytes[255] | 1);
        Self { modulus: U2048::from_be_slice(&bytes), exponent: None }
    }

    fn area(&self, attributes: u32, policy: &[u8]) -> Vec<u8> {
        let kind = [0x00, 0x01, 0x00, 0x0b];
        let parameters = [0x00, 0x06, 0x00, 0x80, 0x00, 0x43, 0x00, 0x10, 0x08, 0x00, 0, 0, 0, 0];
        let modulus = sized(self.modulus.to_be_bytes().as_ref());
        [&kind[..], &attributes.to_be_bytes(), &sized(policy), &parameters, &modulus].concat()
    }

    fn open(&self, encrypted: &[u8], label: &[u8]) -> Vec<u8> {
        let params = FixedMontyParams::new_vartime(self.modulus.to_odd().into_option().expect("odd"));
        let power = FixedMontyForm::new(&U2048::from_be_slice(encrypted), &params)
            .pow(self.exponent.as_ref().expect("a private key"))
            .retrieve();
        let encoded = power.to_be_bytes().as_ref().to_vec();
        let (mut seed, mut block) = (encoded[1..33].to_vec(), encoded[33..].to_vec());
        assert_eq!(encoded[0], 0);
        mask(&block, &mut seed);
        mask(&seed, &mut block);
        assert_eq!(block[..32], *digest::digest(&digest::SHA256, label).as_ref(), "the label");
        let begin = 32 + block[32..].iter().position(|byte| *byte != 0).expect("a mark");
        assert_eq!(block[begin], 1);
        block[begin + 1..].to_vec()
    }
}

fn mask(seed: &[u8], content: &mut [u8]) {
    let mut stream = (0u32..).flat_map(|counter| {
        digest::digest(&digest::SHA256, &[seed, &counter.to_be_bytes()].concat()).as_ref().to_vec()
    });
    for byte in content {
        *byte ^= stream.next().expect("it never ends");
    }
}

fn unprotect(seed: &[u8], name: &[u8], protected: &[u8]) -> Vec<u8> {
    let mut rest = protected;
    let integrity = take(&mut rest);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &kdfa(seed, "INTEGRITY", &[], 256));
    hmac::verify(&key, &[rest, name].concat(), integrity).expect("whole, and for this name");
    let mut content = rest.to_vec();
    cfb(&kdfa(seed, "STORAGE", name, 128), &mut content);
    content
}

fn kdfa(key: &[u8], label: &str, context: &[u8], bits: u32) -> Vec<u8> {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in [&1u32.to_be_bytes()[..], label.as_bytes(), &[0], context, &bits.to_be_bytes()] {
        mac.update(part);
    }
    mac.sign().as_ref()[..bits as usize / 8].to_vec()
}

/// Decrypts.
fn cfb(key: &[u8], content: &mut [u8]) {
    let key: [u8; 16] = key.try_into().expect("16 bytes");
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
}

fn name(area: &[u8]) -> Vec<u8> {
    [&[0x00, 0x0b], digest::digest(&digest::SHA256, area).as_ref()].concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat()
}

fn number(rest: &mut &[u8]) -> u16 {
    let (number, left) = rest.split_first_chunk::<2>().expect("a number");
    *rest = left;
    u16::from_be_bytes(*number)
}

fn take<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let length = number(rest).into();
    let (taken, left) = rest.split_at(length);
    *rest = left;
    taken
}
