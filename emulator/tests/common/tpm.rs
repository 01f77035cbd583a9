//! A TPM whose keys are always the same, as making some takes half a minute without optimisation.

use tracker_emulator::soft_tpm::{PRIME_BYTES, SoftTpm};

/// Both keys have the first one. They protect nothing.
const PRIMES: [&str; 3] = [
    "e3fae4ecdf7c3a869a5da9dbbd8eb875822b5d766f75a077c9015a1990b42c42\
     c9854838effd23bc76bded81b35c637ab0999c5dd81cba56672293b289164f4a\
     35d5174bce3dd923c0dbbbc26ffa6f4aeda174eba2298a0aed335724a9d7d1e2\
     0cad6c69c29d38eaeea382bd63fcec4959c2fb6c9ac1d9b78417f4545f741cf7",
    "e7d780480f9079f81c08cdeba7d03049b8f1a561e94d5676ac9a39e76069856e\
     21a384de6c89b0fe5404dea7f644dd0f5c19d4f33f9258c86088fd9b8d15fd41\
     d1bd3b2ce85f946c2b483514c2043c4690e8daaa52d6aee596f0940e2b2efa1f\
     fc0396221fd5b7fb40416dd7d3517538b6e6bcbaf45e1c60d8ec791fe8700bd1",
    "f83c0f628030056b0010dc577febaa57563488d1e9adedcdac80bb72647e3370\
     6b643005f2a7662549719e95941cdbf6bd0877136d12968ac2fbbffa95fa84ed\
     b471047e3822c9ca0cde0c1a3c8832e23d7d99b6863b48a681871300cdc3bf78\
     b3fc6a1ac53c92c235bd05a3816ffb26a41674af8b495327f1a0d4857e703a07",
];

pub fn known_tpm() -> SoftTpm {
    let [p, q, r] = PRIMES.map(prime);
    SoftTpm::of_primes([&p, &q], [&p, &r]).expect("keys of 2048 bits")
}

fn prime(hexadecimal: &str) -> [u8; PRIME_BYTES] {
    let byte = |at: usize| u8::from_str_radix(&hexadecimal[2 * at..2 * at + 2], 16).expect("hexadecimal");
    std::array::from_fn(byte)
}
