//! Leaves out of the firmware what only unwinding needs, and what is there twice.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// Tables for unwinding, of which the standard library and what is written in C bring many. The firmware aborts when it
/// panics: nobody reads them, and they are a tenth of it.
const NO_UNWINDING: &str = "\
SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table .gcc_except_table.*) } }
INSERT AFTER .text;
";

/// Functions that have become the same code are there once: an eightieth of it. Nothing here or in what is used compares the
/// addresses of functions that could be so.
const FOLDED: &str = "-Wl,--icf=all";

#[expect(clippy::disallowed_methods, reason = "a build that is cut short begins anew")]
fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let variable = |name| env::var(name).unwrap_or_default();
    let out = PathBuf::from(variable("OUT_DIR"));
    let gnu_linux = variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ENV") == "gnu";
    if gnu_linux && is_firmware(&out) {
        let script = out.join("no-unwinding.ld");
        fs::write(&script, NO_UNWINDING)?;
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
        if variable("HOST") == variable("TARGET") && loads_packed_relocations() {
            println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        }
        if links_with(FOLDED, &out) {
            println!("cargo:rustc-link-arg-bins={FOLDED}");
        }
    }
    Ok(())
}

/// Whether this system's C library loads programs whose relocations are packed, which makes them a twenty-fifth smaller:
/// from 2.36 on (Debian 12). Linkers do it for older ones too, and such a program does not start.
fn loads_packed_relocations() -> bool {
    let version = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let version =
        version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let mut numbers = version.trim().trim_start_matches("glibc ").split('.').map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(2)), Some(Ok(minor))) if minor >= 36)
}

/// Whether the linker that this build uses takes the argument: that of LLVM, which is Rust's own on some machines, does what
/// that of GNU refuses.
#[expect(clippy::disallowed_methods, reason = "a build that is cut short begins anew")]
fn links_with(argument: &str, out: &Path) -> bool {
    let variable = |name| env::var(name).unwrap_or_default();
    let source = out.join("probe.rs");
    if fs::write(&source, "fn main() {}").is_err() {
        return false;
    }
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.arg(source).arg("-o").arg(out.join("probe")).arg("--target").arg(variable("TARGET"));
    let linker = variable("RUSTC_LINKER");
    if !linker.is_empty() {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let flags = variable("CARGO_ENCODED_RUSTFLAGS");
    rustc.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty())).arg(format!("-Clink-arg={argument}"));
    rustc.output().is_ok_and(|output| output.status.success())
}

/// Cargo tells build scripts the profile only by the directory that they write to.
fn is_firmware(out: &Path) -> bool {
    out.components().any(|component| component.as_os_str() == "firmware")
}
