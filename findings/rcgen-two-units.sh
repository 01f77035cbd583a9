#!/usr/bin/env bash
# The crate rcgen 0.14.10 forgets the second organisational unit of a name, and with it which issuer a leaf has.
#
# A distinguished name may hold an attribute several times; two OU or several DC are common in company CAs. rcgen's
# DistinguishedName is a map by type. A CA that another tool made with two OU is read (Issuer::from_ca_cert_pem), and the
# leaf that is signed with it names an issuer with one OU: no chain is found by name, although key and signature are right.
#
# Seen: "CA: 2 OU; issuer named in the leaf: 1 OU", then openssl's "unable to get local issuer certificate".
#
# What follows for a laboratory PKI: names with an attribute twice are signed with another tool.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 \
    -subj '/O=Cheese/OU=Logistics/OU=Trackers/CN=Root' -addext keyUsage=critical,keyCertSign 2>/dev/null
cargo init --quiet --name finding --vcs none .
echo 'rcgen = { version = "=0.14.10", default-features = false, features = ["crypto", "pem", "ring", "x509-parser"] }' >>Cargo.toml
cat >src/main.rs <<'RUST'
use rcgen::{CertificateParams, Issuer, KeyPair};

fn main() {
    let read = |path| std::fs::read_to_string(path).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), KeyPair::from_pem(&read("ca.key")).unwrap()).unwrap();
    let leaf = CertificateParams::new(["box-7".to_owned()]).unwrap();
    print!("{}", leaf.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().pem());
}
RUST
cargo run --quiet >leaf.pem
count() { openssl x509 -in "$1" -noout "$2" -nameopt multiline | grep -c organizationalUnitName; }
echo "CA: $(count ca.pem -subject) OU; issuer named in the leaf: $(count leaf.pem -issuer) OU" | tee seen
grep -qx 'CA: 2 OU; issuer named in the leaf: 1 OU' seen
openssl verify -CAfile ca.pem leaf.pem 2>&1 | tee verified || true
grep -q 'unable to get local issuer certificate' verified
