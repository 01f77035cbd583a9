//! Notes the date of the build: no true time is earlier, which is how a clock in 1970 and a GPS week rollover are recognised.

fn main() {
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.toml");
    let epoch =
        std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|epoch| epoch.parse().ok()).unwrap_or_else(now);
    println!("cargo:rustc-env=BUILD_EPOCH={epoch}");
}

#[expect(clippy::disallowed_methods, reason = "the build host's clock is the date of the build")]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
