# The commands people use here; `just` lists them. https://just.systems

_default:
    @just --list

# Simulated containers against the local Azure
simulate *options:
    cargo run --release -- simulate {{options}}

# The local Azure alone
emulator *options:
    cargo run --release -- emulator {{options}}

# All tests
test:
    cargo test --workspace

# Keys in hardware: needs softhsm2, opensc-pkcs11 and opensc
test-keys:
    cargo test --features pkcs11 --test hardware_key --test made_keys

# All checks, as CI runs them
check:
    .ci/run

# What takes long: every processor, packages, virtual machines, many seeds; see .ci/nightly
nightly *steps:
    sudo --preserve-env=PATH,HOME .ci/nightly {{steps}}

# The firmware for this machine, with its size
firmware:
    cargo build --profile firmware --no-default-features --features pkcs11,mqtt5
    ls -l target/firmware/container-tracker

# The firmware for a Raspberry Pi, in a container
cross target="aarch64-unknown-linux-gnu":
    CROSS_CONFIG=cross.toml cross build --profile firmware --no-default-features --features pkcs11,mqtt5 --target {{target}}

# The firmware for Raspberry Pis, with Debian's compilers: aarch64, armv7, arm
cross-build *targets:
    scripts/cross-build {{targets}}

# The Debian package: amd64, arm64, armhf
package *architectures:
    scripts/package {{architectures}}

# What is handed out: packages, tarballs, checksums, SBOM, apt repository
release *options:
    packaging/release {{options}}

# The tracker on real Linux, in a virtual machine
vm *options:
    sudo --preserve-env=PATH,HOME tests/vm/run {{options}}

# This agent beside Microsoft's SDKs: benches/peers/README.md
peers *options:
    benches/peers/run {{options}}
