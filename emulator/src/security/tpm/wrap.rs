//! A key on its way into one TPM: what Azure calls an authentication key.
//!
//! Five structures one behind the other, and room for data that nobody uses:
//!
//! | structure | what it is | the client gives it to |
//! |---|---|---|
//! | `TPM2B_ID_OBJECT`, `TPM2B_ENCRYPTED_SECRET` | the inner key, for endorsement and storage root key together | `TPM2_ActivateCredential` |
//! | `TPM2B_PRIVATE`, `TPM2B_ENCRYPTED_SECRET` | the HMAC key, wrapped twice | `TPM2_Import`, with the inner key |
//! | `TPM2B_PUBLIC` | what kind of key it is | `TPM2_Import`, `TPM2_Load` |
//! | `UINT16` | length of encrypted data: none | – |

use aes::{
    Aes128, Block,
    cipher::{BlockCipherEncrypt as _, KeyInit as _},
};
use crypto_bigint::{
    U2048, Uint,
    modular::{FixedMontyForm, FixedMontyParams},
};
use ring::{
    digest::{SHA256, SHA256_OUTPUT_LEN, digest},
    hmac,
};

use super::{
    public::{PublicKey, name},
    wire::{algorithm, sized},
};

/// Bytes of AES-128.
const CIPHER_KEY: usize = 16;

/// Bytes of an RSA key of 2048 bits.
const RSA_BYTES: usize = 256;

/// Attributes of the key: usable without a policy, unknown to the guard against guessing, for signing alone.
const USER_WITH_AUTH: u32 = 1 << 6;
const NO_DA: u32 = 1 << 10;
const SIGN: u32 = 1 << 18;

/// Wraps `key` for the TPM that has both of these.
pub(crate) fn activation(endorsement: &PublicKey, storage_root: &PublicKey, key: &[u8]) -> Vec<u8> {
    let inner: [u8; CIPHER_KEY] = rand::random();
    let (credential, credential_seed) = credential(endorsement, &storage_root.name, &inner);
    let obfuscation: [u8; SHA256_OUTPUT_LEN] = rand::random();
    let public = public_area(key, &obfuscation);
    let (duplicate, duplicate_seed) =
        duplicate(storage_root, &name(&public), &sensitive(key, &obfuscation), &inner);
    [
        sized(&credential),
        sized(&credential_seed),
        sized(&duplicate),
        sized(&duplicate_seed),
        sized(&public),
        0u16.to_be_bytes().to_vec(),
    ]
    .concat()
}

/// `secret`, which a TPM gives out if it has the key and an object of this name.
fn credential(key: &PublicKey, name: &[u8], secret: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (seed, encrypted_seed) = seed(key, b"IDENTITY\0");
    (protect(&seed, name, sized(secret)), encrypted_seed)
}

/// An object for a TPM that has the parent: wrapped by `inner`, and then by what the parent opens.
fn duplicate(
    parent: &PublicKey,
    name: &[u8],
    sensitive: &[u8],
    inner: &[u8; CIPHER_KEY],
) -> (Vec<u8>, Vec<u8>) {
    let sensitive = sized(sensitive);
    let integrity = digest(&SHA256, &[&sensitive, name].concat());
    let mut wrapped = [sized(integrity.as_ref()), sensitive].concat();
    cfb(inner, &mut wrapped);
    let (seed, encrypted_seed) = seed(parent, b"DUPLICATE\0");
    (protect(&seed, name, wrapped), encrypted_seed)
}

/// Encrypts by a key from the seed, and puts a code before it that shows whether it is whole and meant for this name.
fn protect(seed: &[u8], name: &[u8], mut content: Vec<u8>) -> Vec<u8> {
    let mut cipher_key = [0; CIPHER_KEY];
    cipher_key.copy_from_slice(&kdfa(seed, "STORAGE", name, 128)[..CIPHER_KEY]);
    cfb(&cipher_key, &mut content);
    let integrity_key = hmac::Key::new(hmac::HMAC_SHA256, &kdfa(seed, "INTEGRITY", &[], 256));
    let integrity = hmac::sign(&integrity_key, &[&content, name].concat());
    [sized(integrity.as_ref()), content].concat()
}

/// A seed, and the same as this key alone can read it.
fn seed(key: &PublicKey, label: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let seed: [u8; SHA256_OUTPUT_LEN] = rand::random();
    (seed.to_vec(), oaep(key, label, &seed))
}

/// `TPMT_PUBLIC` of an HMAC key.
fn public_area(key: &[u8], obfuscation: &[u8]) -> Vec<u8> {
    let unique = digest(&SHA256, &[obfuscation, key].concat());
    [
        &algorithm::KEYED_HASH.to_be_bytes()[..],
        &algorithm::SHA256.to_be_bytes(),
        &(USER_WITH_AUTH | NO_DA | SIGN).to_be_bytes(),
        &sized(&[]),
        &algorithm::HMAC.to_be_bytes(),
        &algorithm::SHA256.to_be_bytes(),
        &sized(unique.as_ref()),
    ]
    .concat()
}

/// `TPMT_SENSITIVE` of the same, without a password.
fn sensitive(key: &[u8], obfuscation: &[u8]) -> Vec<u8> {
    [&algorithm::KEYED_HASH.to_be_bytes()[..], &sized(&[]), &sized(obfuscation), &sized(key)].concat()
}

/// The key derivation of TPMs, for up to 256 bits.
fn kdfa(key: &[u8], label: &str, context: &[u8], bits: u32) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let text = [&1u32.to_be_bytes(), label.as_bytes(), &[0], context, &bits.to_be_bytes()].concat();
    hmac::sign(&key, &text).as_ref().to_vec()
}

/// AES-128 in CFB mode, with a vector of zeros: each key serves once.
fn cfb(key: &[u8; CIPHER_KEY], content: &mut [u8]) {
    let cipher = Aes128::new(&(*key).into());
    let mut feedback = Block::default();
    for part in content.chunks_mut(feedback.len()) {
        cipher.encrypt_block(&mut feedback);
        for (byte, mask) in part.iter_mut().zip(&feedback) {
            *byte ^= mask;
        }
        feedback[..part.len()].copy_from_slice(part);
    }
}

/// RSA with OAEP by SHA-256 (RFC 8017). `message` is short: a seed.
fn oaep(key: &PublicKey, label: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = digest(&SHA256, label).as_ref().to_vec();
    block.resize(RSA_BYTES - SHA256_OUTPUT_LEN - 2 - message.len(), 0);
    block.push(1);
    block.extend_from_slice(message);
    let mut seed: [u8; SHA256_OUTPUT_LEN] = rand::random();
    mask(&seed, &mut block);
    mask(&block, &mut seed);
    let encoded = U2048::from_be_slice(&[&[0], &seed[..], &block].concat());
    let params = FixedMontyParams::new_vartime(key.modulus);
    let power = FixedMontyForm::new(&encoded, &params).pow(&Uint::<1>::from_u32(key.exponent)).retrieve();
    power.to_be_bytes().as_ref().to_vec()
}

/// MGF1 over a content.
fn mask(seed: &[u8], content: &mut [u8]) {
    for (counter, part) in (0u32..).zip(content.chunks_mut(SHA256_OUTPUT_LEN)) {
        let mask = digest(&SHA256, &[seed, &counter.to_be_bytes()].concat());
        for (byte, mask) in part.iter_mut().zip(mask.as_ref()) {
            *byte ^= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        let pairs = hexadecimal.as_bytes().chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
            .collect()
    }

    /// NIST SP 800-38A, F.3.13, whose vector is not of zeros: the block before has made it.
    #[test]
    fn the_cipher_is_that_of_the_standard_and_ends_where_the_content_does() {
        let key: [u8; 16] = bytes("2b7e151628aed2a6abf7158809cf4f3c").try_into().expect("16");
        let cipher = Aes128::new(&key.into());
        let vector = bytes("000102030405060708090a0b0c0d0e0f");
        // What makes the first block of output equal to the vector, so that the second is the standard's first.
        let mut zeros = Block::default();
        cipher.encrypt_block(&mut zeros);
        let mut content: Vec<u8> = zeros.iter().zip(&vector).map(|(a, b)| a ^ b).collect();
        content.extend(bytes("6bc1bee22e409f96e93d7e117393172aae2d8a"));
        cfb(&key, &mut content);
        assert_eq!(content[..16], vector);
        assert_eq!(content[16..32], bytes("3b3fd92eb72dad20333449f8e83cfb4a"));
        assert_eq!(content[32..], bytes("c8a645"));
    }
}
